"""A quantised network of l layers from a random one of l + 1 layers, with copies of every output.

Two layers for each one of the target are only needed because items must not change sign where their
input does. Outputs of a ReLU are never negative, so from the second layer of the target on one
layer of random weights can do, if each of its inputs exists in several copies (Burkholz 2022, "Most
activation functions can win the lottery without excessive depth", arXiv 2205.02321): w y is
the sum of b_q y over a subset of the copies q, a subset sum with items uniform on the grid of δ.

The price is that all copies of all outputs must be built exactly: the first layer, by two layers as
in `construction`, has d_1 c outputs, and each of the c d_i outputs of a later layer needs a subset
of its own for each of its inputs. Layers are rounded to γ, all but the hidden one, so that the
target's δ_t must be a multiple of δ.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, Key

from lottery_jax.core import keys
from lottery_jax.quantized import construction
from lottery_jax.quantized.audit import Weights
from lottery_jax.quantized.grid import sample, steps
from lottery_jax.quantized.search import search as search_sum


class Design(NamedTuple):
    """What is to be represented, and by how much."""

    widths: tuple[int, ...]  # d_0, ..., d_l of the target network
    bits: int  # log2(1/δ) of the random network
    target_bits: int  # log2(1/δ_t) of the target, at most bits
    num_units: int  # hidden units for each input and side of the first layer, before pruning
    num_copies: int  # of each output but those of the last layer


class Later(NamedTuple):
    """A random layer between copies, and the target's layer."""

    weights: Int32[Array, "output copy input item"]  # in units of δ; copies of outputs and inputs
    target: Int32[Array, "output input"]  # in units of δ_t


class Instance(NamedTuple):
    """A random network, and the network that it is to represent."""

    first: construction.Instance  # output (output, copy), copy fastest; its target is repeated
    later: tuple[Later, ...]


class Subsets(NamedTuple):
    """What the search found; widths are numbers of places or copies, one more if not found."""

    first: construction.Subsets
    masks: tuple[Bool[Array, "output copy input item"], ...]
    widths: tuple[Int32[Array, "output copy input"], ...]


def draw(key: Key[Array, ""], design: Design) -> Instance:
    """A target network and a random one; its first units are the same for any number of units."""
    num_layers = len(design.widths) - 1
    of_first, *of_later = keys.items(key, num_layers)
    of_target, of_network = keys.items(of_first, 2)
    wanted = construction.draw_target(
        of_target,
        num_outputs=design.widths[1],
        num_inputs=design.widths[0],
        bits=design.target_bits,
    )
    wanted = jnp.repeat(wanted, _copies_of(design, 1), axis=0)
    first = construction.draw(of_network, wanted, bits=design.bits, num_units=design.num_units)
    later = [_draw_later(each, design, layer) for layer, each in enumerate(of_later, start=2)]
    return Instance(first, tuple(later))


def search(instance: Instance, design: Design) -> Subsets:
    """The subsets of every copy of every output."""
    sums = construction.subset_sums(
        instance.first, bits=design.bits, target_bits=design.target_bits
    )
    (first,) = construction.solve([sums], bits=design.bits)
    if not instance.later:
        return Subsets(first, (), ())
    items, targets = [], []
    for weights, wanted in instance.later:
        items.append(weights.reshape(-1, design.num_copies))
        each = wanted[:, None] * 2 ** (design.bits - design.target_bits)
        targets.append(jnp.broadcast_to(each, weights.shape[:3]).reshape(-1))
    found = lax.map(
        lambda each: search_sum(*each, reach=design.num_copies * steps(design.bits)),
        (jnp.concatenate(items), jnp.concatenate(targets)),
    )
    masks, widths, start = [], [], 0
    for weights, _ in instance.later:
        part = slice(start, start + weights.size // design.num_copies)
        start = part.stop
        masks.append(found.mask[part].reshape(weights.shape))
        widths.append(found.width[part].reshape(weights.shape[:3]))
    return Subsets(first, tuple(masks), tuple(widths))


def is_served(
    found: Subsets, num_units: Int32[Array, ""], num_copies: Int32[Array, ""]
) -> Bool[Array, ""]:
    """Whether the first units and copies serve every weight of all these copies."""
    copy = _copy_of_outputs(found)
    served = [jnp.all((found.first.widths <= num_units) | (copy >= num_copies))]
    for widths in found.widths:
        later = jnp.arange(widths.shape[1], dtype=jnp.int32)[None, :, None]
        served.append(jnp.all((widths <= num_copies) | (later >= num_copies)))
    return jnp.all(jnp.stack(served))


def lift(
    instance: Instance, found: Subsets, num_units: Int32[Array, ""], num_copies: Int32[Array, ""]
) -> Weights:
    """The pruned network, l + 1 matrices, of the first units and copies alone.

    A weight that they do not serve keeps none of them.
    """
    is_kept = (found.first.widths <= num_units) & (_copy_of_outputs(found) < num_copies)
    weights = [*construction.lift(instance.first, found.first.masks & is_kept[..., None])]
    for layer, mask, widths in zip(instance.later, found.masks, found.widths, strict=True):
        later = jnp.arange(widths.shape[1], dtype=jnp.int32)[None, :, None]
        is_kept = (widths <= num_copies) & (later < num_copies)
        kept = jnp.where(mask & is_kept[..., None], layer.weights, 0)
        weights.append(kept.reshape(kept.shape[0] * kept.shape[1], -1))
    return tuple(weights)


def target(instance: Instance) -> Weights:
    """The target network."""
    copies = instance.later[0].weights.shape[3] if instance.later else 1
    return (instance.first.target[::copies], *(layer.target for layer in instance.later))


def divisors(design: Design) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the layers of the pruned and of the target network divide by when they round.

    Examples
    --------
    >>> divisors(Design((2, 2, 1), bits=3, target_bits=3, num_units=48, num_copies=16))
    ((1, 64, 8), (8, 8))
    """
    later = len(design.widths) - 2
    pruned = (1, 4**design.bits, *(2**design.bits,) * later)
    return pruned, (2**design.target_bits,) * (later + 1)


def num_parameters(design: Design) -> int:
    """Parameters of the random network before pruning.

    Examples
    --------
    >>> num_parameters(Design((2, 2, 1), bits=3, target_bits=3, num_units=48, num_copies=16))
    6560
    """
    inputs, outputs = design.widths[0], design.widths[1] * _copies_of(design, 1)
    number = construction.num_parameters(inputs, outputs, design.num_units)
    for layer, wide in enumerate(design.widths[2:], start=2):
        rows = wide * _copies_of(design, layer)
        number += rows * design.widths[layer - 1] * design.num_copies
    return number


def _draw_later(key, design: Design, layer: int) -> Later:
    inputs, outputs = design.widths[layer - 1], design.widths[layer]
    of_target, of_network = keys.items(key, 2)
    wanted = construction.draw_target(
        of_target, num_outputs=outputs, num_inputs=inputs, bits=design.target_bits
    )
    shape = _copies_of(design, layer), design.num_copies
    weights = jax.vmap(lambda edge: sample(edge, shape, bits=design.bits))(
        keys.items(of_network, outputs * inputs)
    ).reshape(outputs, inputs, *shape)
    return Later(jnp.moveaxis(weights, 2, 1), wanted)


def _copies_of(design: Design, layer: int) -> int:
    """How many copies there are of an output of this layer of the target, 1 to l."""
    return 1 if layer == len(design.widths) - 1 else design.num_copies


def _copy_of_outputs(found: Subsets) -> Int32[Array, "1 1 output"]:
    """Which copy each output of the first layer is."""
    outputs = jnp.arange(found.first.widths.shape[2], dtype=jnp.int32)
    return (outputs % (found.masks[0].shape[3] if found.masks else 1))[None, None]
