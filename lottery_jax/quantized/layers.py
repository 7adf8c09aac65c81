"""A quantised network of l layers from a random one of 2 l layers, by pruning alone.

Every layer of the target is represented by two layers of the random network (`construction`), and
layers are searched independently. The target has weights on the grid of δ_t, ReLUs, and γ-double
mixed precision: the output of every layer is rounded to γ. In the random network only the output of
every second layer is rounded (γ-triple): hidden products are multiples of δ γ, and rounding them
would spoil exact sums. Where every weight is found, values agree before each rounding, so they
agree after it, whatever the rule.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Key

from lottery_jax.core import keys
from lottery_jax.quantized import construction
from lottery_jax.quantized.audit import Weights


class Design(NamedTuple):
    """What is to be represented, and by how much."""

    widths: tuple[int, ...]  # d_0, ..., d_l of the target network
    bits: int  # log2(1/δ) of the random network
    target_bits: int  # log2(1/δ_t) of the target
    num_units: int  # hidden units for each input and side, before pruning


def draw(key: Key[Array, ""], design: Design) -> tuple[construction.Instance, ...]:
    """A target network and a random one, layer by layer."""
    layers = keys.items(key, len(design.widths) - 1)
    return tuple(
        _draw_layer(layer, inputs, outputs, design)
        for layer, inputs, outputs in zip(layers, design.widths, design.widths[1:], strict=False)
    )


def search(
    instances: tuple[construction.Instance, ...], design: Design
) -> tuple[construction.Subsets, ...]:
    """The subsets of every layer."""
    bits, target_bits = design.bits, design.target_bits
    sums = [
        construction.subset_sums(instance, bits=bits, target_bits=target_bits)
        for instance in instances
    ]
    return construction.solve(sums, bits=bits)


def is_served(
    found: tuple[construction.Subsets, ...], num_units: Int32[Array, ""]
) -> Bool[Array, ""]:
    """Whether the first units serve every weight of every layer."""
    return jnp.all(jnp.stack([jnp.all(each.widths <= num_units) for each in found]))


def lift(
    instances: tuple[construction.Instance, ...],
    found: tuple[construction.Subsets, ...],
    num_units: Int32[Array, ""],
) -> Weights:
    """The pruned network, 2 l matrices, of the first `num_units` units alone.

    A weight that they do not serve keeps none of them.
    """
    weights = []
    for instance, each in zip(instances, found, strict=True):
        masks = each.masks & (each.widths <= num_units)[..., None]
        weights += construction.lift(instance, masks)
    return tuple(weights)


def target(instances: tuple[construction.Instance, ...]) -> Weights:
    """The target network."""
    return tuple(instance.target for instance in instances)


def divisors(design: Design) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the layers of the pruned and of the target network divide by when they round.

    Examples
    --------
    >>> divisors(Design((2, 2, 1), bits=3, target_bits=3, num_units=48))
    ((1, 64, 1, 64), (8, 8))
    """
    num_layers = len(design.widths) - 1
    return (1, 4**design.bits) * num_layers, (2**design.target_bits,) * num_layers


def num_parameters(design: Design) -> int:
    """Parameters of the random network before pruning."""
    return sum(
        construction.num_parameters(inputs, outputs, design.num_units)
        for inputs, outputs in zip(design.widths, design.widths[1:], strict=False)
    )


def _draw_layer(key, inputs: int, outputs: int, design: Design) -> construction.Instance:
    of_target, of_network = keys.items(key, 2)
    wanted = construction.draw_target(
        of_target, num_outputs=outputs, num_inputs=inputs, bits=design.target_bits
    )
    return construction.draw(of_network, wanted, bits=design.bits, num_units=design.num_units)
