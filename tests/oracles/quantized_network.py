"""Quantised networks in exact fractions, and subset sums by plain loops over Python sets."""

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def round_to(value: Fraction, step: Fraction) -> Fraction:
    """The nearest multiple of the step; of two, the one nearer to zero."""
    below = value / step - Fraction(value / step).__floor__()
    floor = Fraction((value / step).__floor__())
    if below == Fraction(1, 2):
        return step * min(floor, floor + 1, key=abs)
    return step * (floor if below < Fraction(1, 2) else floor + 1)


def outputs(
    weights: Sequence[np.ndarray],
    steps: Sequence[int],
    inputs: Sequence[Fraction],
    roundings: Sequence[Fraction | None],
) -> list[Fraction]:
    """The outputs of a network, real numbers throughout.

    Parameters
    ----------
    weights
        Whole numbers [output, input], of each layer.
    steps
        What these are divided by: a weight w stands for w / steps.
    roundings
        The step to which each layer's outputs are rounded, or None.
    """
    values = list(inputs)
    for layer, (matrix, step, rounding) in enumerate(zip(weights, steps, roundings, strict=True)):
        sums = []
        for row in matrix.tolist():
            total = Fraction(0)
            for weight, value in zip(row, values, strict=True):
                if weight:
                    total += Fraction(weight, step) * value
            sums.append(total if rounding is None else round_to(total, rounding))
        last = layer + 1 == len(weights)
        values = sums if last else [max(each, Fraction(0)) for each in sums]
    return values


def first_width(items: Sequence[int], targets: Sequence[int]) -> int:
    """Leading items whose subset sums hold all targets; number of items + 1 if all are too few."""
    sums = {0}
    for width in range(len(items) + 1):
        if width:
            sums |= {each + items[width - 1] for each in sums}
        if set(targets) <= sums:
            return width
    return len(items) + 1


def all_sums(items: Sequence[int]) -> set[int]:
    """The sums of all subsets, one by one."""
    return {
        sum(chosen)
        for size in range(len(items) + 1)
        for chosen in itertools.combinations(items, size)
    }


def weight_items(first: np.ndarray, second: np.ndarray, place: tuple[int, int, int]) -> list[int]:
    """The items of one subset sum (side, input, output), from the matrices themselves."""
    side, column, row = place
    num_inputs = first.shape[1]
    num_units = first.shape[0] // (2 * num_inputs)
    items = []
    for number in range(num_units):
        unit = (side * num_inputs + column) * num_units + number
        weight = int(first[unit, column])
        active = max(weight, 0) if side == 0 else max(-weight, 0)
        items.append(int(second[row, unit]) * active)
    return items
