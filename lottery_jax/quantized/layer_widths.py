"""How many random units does a whole quantised layer need?

A layer of d2 x d1 weights is represented when all its 2 d1 d2 subset sums are hit (`construction`):
for each input and sign one block of n units, whose products with the output weights of each output
must hit that output's weight. A draw's first width is the largest of theirs. Blocks are
independent; the sums of one block share their input weights, and are not.

The layer of one weight needs both of its signs: two independent halves.
"""

import functools

from jax import lax

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.quantized import construction, weight_widths

MAX_WEIGHTS = 1024


def experiment(*, bits: int, num_inputs: int, num_outputs: int, cap: int = 96) -> Experiment:
    """First widths of layers with random weights on the grid.

    Parameters
    ----------
    bits
        log2(1/δ) of the random weights and of the layer's, 0 to 8.
    num_inputs, num_outputs
        d1 and d2, at least 1, with at most 1024 weights.
    cap
        Units of each input and sign, 1 to 256. First widths above it are counted as cap + 1.

    Returns
    -------
    Experiment
        Its count gives "certain" and "possible", numbers of draws by first width, 0 to cap + 1.

    Raises
    ------
    ValueError
        For settings outside these ranges.

    Examples
    --------
    >>> experiment(bits=3, num_inputs=2, num_outputs=2).settings
    (('bits', 3), ('cap', 96), ('inputs', 2), ('outputs', 2))
    """
    weight_widths.check(bits, cap)
    for name, value in (("num_inputs", num_inputs), ("num_outputs", num_outputs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    if num_inputs * num_outputs > MAX_WEIGHTS:
        raise ValueError(
            f"{num_inputs=} times {num_outputs=} weights are too many; use at most {MAX_WEIGHTS}"
        )
    bits = int(bits)  # as settings are stored
    settings = (("bits", bits), ("cap", cap), ("inputs", num_inputs), ("outputs", num_outputs))
    return Experiment(
        name="quantized_layer_width",
        settings=settings,
        count=_count(bits, num_inputs, num_outputs, cap),
        lanes=64,
        vmap_lanes={"cpu": 1, "gpu": 64, "tpu": 64},
        seconds_per_draw=lambda: 2 * num_inputs * num_outputs * weight_widths.seconds_per_sum(bits),
        bytes_per_draw=lambda: 4.0 * weight_widths.num_sums(bits),
    )


@functools.cache
def _count(bits: int, num_inputs: int, num_outputs: int, cap: int):
    def count(key, parameters):
        of_target, of_network = keys.items(key, 2)
        target = construction.draw_target(
            of_target, num_outputs=num_outputs, num_inputs=num_inputs, bits=bits
        )
        instance = construction.draw(of_network, target, bits=bits, num_units=cap)
        items, targets = construction.subset_sums(instance, bits=bits, target_bits=bits)
        first = lax.map(
            lambda each: weight_widths.first_widths(each[0], each[1], bits=bits),
            (items.reshape(-1, cap), targets.reshape(-1, 1)),
        )
        return weight_widths.histograms(first, cap)

    return count
