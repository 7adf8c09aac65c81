"""Random quantised networks that are searched, pruned, and compared with their targets.

A draw is a target network and a random network, both with weights uniform on their grids. Every
weight of the target is searched (`layers`: depth 2 l; `copies`: depth l + 1), and at each of
several sizes the network of the first units and copies is pruned and evaluated beside the target on
every input of the grid (`audit`). Two things are counted apart: all weights are served, and the
outputs are equal. The first must imply the second. The second may hold alone: a weight that is not
served can belong to a unit that is never active, or to a copy that nobody uses.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.quantized import copies, layers
from lottery_jax.quantized.audit import CHUNK, differences, largest_value, num_checked
from lottery_jax.quantized.grid import LARGEST, check_fits, steps

_MOST_BYTES = 2**28  # of all stages of one search, and of one pair of networks


def experiment(
    *,
    widths: Sequence[int],
    bits: int,
    sizes: Sequence[int] | Sequence[tuple[int, int]],
    input_bits: int | None = None,
) -> Experiment:
    """How often is a random network of a given size the target, exactly, after pruning?

    Parameters
    ----------
    widths
        d_0, ..., d_l of the target network, l >= 1.
    bits
        log2(1/δ) of the random weights and of the target's.
    sizes
        Numbers n of units for each input and sign: depth 2 l. Or pairs (n, c) with a number of
        copies: depth l + 1. All sizes are decided on the same draws.
    input_bits
        log2(1/γ) of the inputs and of rounded outputs; `bits` if None.

    Returns
    -------
    Experiment
        Its count gives, for every size, draws that are "served", that are "equal", and that are
        "broken": served, and yet not equal before the last rounding at some input. That must stay
        zero.

    Raises
    ------
    ValueError
        For settings outside their ranges, networks whose values may not fit int32, and searches or
        networks of more than 2^28 bytes.

    Examples
    --------
    >>> experiment(widths=(2, 2, 1), bits=3, sizes=(16, 32)).settings[:3]
    (('bits', 3), ('input_bits', 3), ('sizes', '16 32'))
    >>> experiment(widths=(6, 6, 6, 6), bits=6, sizes=(64,))
    Traceback (most recent call last):
    ValueError: a sum may reach 3623878656, which int32 does not hold; use at most 37 units
    """
    input_bits = bits if input_bits is None else input_bits
    steps(bits)
    steps(input_bits)
    bits, input_bits = int(bits), int(input_bits)
    _check_sizes(widths, sizes)
    with_copies = isinstance(sizes[0], tuple)
    units = max(size[0] if isinstance(size, tuple) else size for size in sizes)
    most_copies = max((size[1] for size in sizes if isinstance(size, tuple)), default=None)
    bytes_of_search = (units + 1) * 2 * units * steps(bits) ** 2 // 8
    if bytes_of_search > _MOST_BYTES:
        raise ValueError(
            f"{bits=} with {units} units needs {bytes_of_search} bytes for each search; use fewer "
            "bits or units, or layer_widths, which only decides"
        )
    layers_of_products = 1 if with_copies else len(widths) - 1
    _check_range(widths, 4**bits, (units,) * layers_of_products, input_bits, "units")
    if most_copies is not None:
        _check_range(widths, 2**bits, (most_copies,) * (len(widths) - 1), input_bits, "copies")
    bytes_of_network = _bytes_of_network(widths, units, most_copies)
    if bytes_of_network > _MOST_BYTES:
        fits = (each for each in range(units, 0, -1) if _fits(widths, each, most_copies))
        fit = next(fits, None)
        way_out = "narrower layers" if not with_copies else "fewer copies or narrower layers"
        raise ValueError(
            f"{widths=} with {units} units needs {bytes_of_network} bytes for each draw; use "
            f"{way_out if fit is None else f'at most {fit} units'}"
        )
    described = " ".join(
        "x".join(map(str, size)) if isinstance(size, tuple) else str(size) for size in sizes
    )
    points = num_checked(widths[0], input_bits)
    return Experiment(
        name="quantized_network",
        settings=(
            ("bits", bits),
            ("input_bits", input_bits),
            ("sizes", described),
            ("widths", "-".join(map(str, widths))),
        ),
        count=_count(tuple(widths), bits, tuple(sizes), input_bits),
        lanes=16,
        vmap_lanes={"cpu": 1, "gpu": 16, "tpu": 16},
        seconds_per_draw=lambda: 1e-2 + 1e-8 * len(sizes) * points * units * math.prod(widths),
        bytes_per_draw=lambda: 4.0 * bytes_of_search + bytes_of_network,
    )


def _bytes_of_network(widths, units: int, num_copies: int | None) -> int:
    """Of the matrices as drawn and as pruned, items and masks, and of a chunk of the audit."""
    hidden = [2 * units * inputs for inputs in widths[:-1]]
    if num_copies is None:
        parameters = layers.num_parameters(layers.Design(tuple(widths), 0, 0, units))
        values = max(map(sum, zip(hidden, widths[1:], strict=True)))
    else:
        parameters = copies.num_parameters(copies.Design(tuple(widths), 0, 0, units, num_copies))
        wide = [hidden[0], *(num_copies * outputs for outputs in widths[1:])]
        values = max(map(sum, itertools.pairwise(wide)))
    return 16 * parameters + 8 * CHUNK * (widths[0] + values)


def _fits(widths, units: int, num_copies: int | None) -> bool:
    return _bytes_of_network(widths, units, num_copies) <= _MOST_BYTES


def _check_range(widths, weight: int, terms: tuple[int, ...], bits: int, what: str) -> None:
    largest = largest_value(widths, weight=weight, terms=terms, bits=bits)
    fit = terms[0] * LARGEST // largest
    check_fits(largest, "a sum", f"use at most {fit} {what}" if fit else "use fewer bits")


def _check_sizes(widths, sizes) -> None:
    numbers = [*widths, *(each for size in sizes for each in np.atleast_1d(size).tolist())]
    if any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in numbers):
        raise ValueError(f"{widths=} and {sizes=} must be integers of at least 1")
    kinds = {len(size) if isinstance(size, tuple) else 0 for size in sizes}
    if len(widths) < 2 or kinds not in ({0}, {2}):
        raise ValueError(
            f"{widths=} must name inputs and outputs, for example (2, 2), and {sizes=} numbers of "
            "units, for example (32, 48), or pairs of units and copies, for example ((32, 12),)"
        )


@functools.cache
def _count(widths: tuple[int, ...], bits: int, sizes: tuple, input_bits: int):
    module: Any = copies if isinstance(sizes[0], tuple) else layers
    if module is copies:
        most_units, most_copies = np.max(sizes, axis=0).tolist()
        design = copies.Design(widths, bits, bits, most_units, most_copies)
    else:
        design = layers.Design(widths, bits, bits, max(sizes))
    pruned_divisors, target_divisors = module.divisors(design)
    columns = [jnp.array(column, jnp.int32) for column in np.atleast_2d(np.array(sizes).T)]

    def count(key, parameters):
        of_network, of_inputs = keys.items(key, 2)
        instance = module.draw(of_network, design)
        found = module.search(instance, design)

        def at(size):
            other = differences(
                of_inputs,
                module.lift(instance, found, *size),
                module.target(instance),
                pruned_divisors=pruned_divisors,
                target_divisors=target_divisors,
                bits=input_bits,
            )
            is_served = module.is_served(found, *size)
            return {
                "served": is_served.astype(jnp.int32),
                "equal": (other.rounded == 0).astype(jnp.int32),
                "broken": (is_served & (other.exact > 0)).astype(jnp.int32),
            }

        return lax.map(at, tuple(columns))

    return count
