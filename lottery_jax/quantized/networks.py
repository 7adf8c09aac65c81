"""Random quantised networks that are searched, pruned, and compared with their targets.

A draw is a target network and a random network, both with weights uniform on their grids. Every
weight of the target is searched (`layers`: depth 2 l; `copies`: depth l + 1), and at each of
several sizes the network of the first units and copies is pruned and evaluated beside the target on
every input of the grid (`audit`). Two things are counted apart: all weights are served, and the
outputs are equal. The first must imply the second. The second may hold alone: a weight that is not
served can belong to a unit that is never active, or to a copy that nobody uses.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.quantized import copies, layers
from lottery_jax.quantized.audit import differences, largest_value, num_checked
from lottery_jax.quantized.grid import LARGEST, check_fits, steps

_MOST_BYTES = 2**28  # of all stages of one search


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
        For settings outside their ranges, and networks whose values may not fit int32.

    Examples
    --------
    >>> experiment(widths=(2, 2, 1), bits=3, sizes=(16, 32)).settings[:3]
    (('bits', 3), ('input_bits', 3), ('sizes', '16 32'))
    >>> experiment(widths=(6, 6, 6, 6), bits=6, sizes=(64,))
    Traceback (most recent call last):
    ValueError: a sum may reach 3623878656, which int32 does not hold; use at most 37 units
    """
    input_bits = bits if input_bits is None else input_bits
    steps(input_bits)
    _check_sizes(widths, sizes)
    with_copies = isinstance(sizes[0], tuple)
    units = max(size[0] if isinstance(size, tuple) else size for size in sizes)
    bytes_of_search = (units + 1) * 2 * units * steps(bits) ** 2 // 8
    if bytes_of_search > _MOST_BYTES:
        raise ValueError(
            f"{bits=} with {units} units needs {bytes_of_search} bytes for each search; use fewer "
            "bits or units, or layer_widths, which only decides"
        )
    layers_of_products = 1 if with_copies else len(widths) - 1
    _check_range(widths, 4**bits, (units,) * layers_of_products, input_bits, "units")
    if with_copies:
        most_copies = max(size[1] for size in sizes)  # type: ignore[index]
        _check_range(widths, 2**bits, (most_copies,) * (len(widths) - 1), input_bits, "copies")
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
        bytes_per_draw=lambda: 4.0 * bytes_of_search,
    )


def _check_range(widths, weight: int, terms: tuple[int, ...], bits: int, what: str) -> None:
    largest = largest_value(widths, weight=weight, terms=terms, bits=bits)
    fit = terms[0] * LARGEST // largest
    check_fits(largest, "a sum", f"use at most {fit} {what}" if fit else "use fewer bits")


def _check_sizes(widths, sizes) -> None:
    numbers = [*widths, *(each for size in sizes for each in np.atleast_1d(size).tolist())]
    if any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in numbers):
        raise ValueError(f"{widths=} and {sizes=} must be integers of at least 1")
    if len(widths) < 2 or not sizes or len({np.size(size) for size in sizes}) > 1:
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
