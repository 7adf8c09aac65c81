"""Gaps, bins and broken bins in exact rational arithmetic, from their definitions."""

import itertools
from fractions import Fraction


def largest_gap(places, jumps, left: float, right: float) -> Fraction:
    """Twice the best uniform error of an affine function, over all triples of nodes.

    Three points t1 < t2 < t3 of a graph are missed by every affine function by at least half the
    height of the middle one over the chord of the outer two, and a function that bends only at its
    kinks is missed by no more than its worst triple of kinks and ends.
    """
    left, right = Fraction(float(left)), Fraction(float(right))
    kinks = [
        (Fraction(float(place)), Fraction(float(jump)))
        for place, jump in zip(places, jumps, strict=True)
        if left < float(place) < right
    ]
    nodes = sorted({left, right} | {place for place, _ in kinks})
    values = [sum((j * (t - p) for p, j in kinks if p < t), Fraction(0)) for t in nodes]
    gap = Fraction(0)
    for i, (t1, y1) in enumerate(zip(nodes, values, strict=True)):
        for k in range(i + 2, len(nodes)):
            slope = (values[k] - y1) / (nodes[k] - t1)
            for j in range(i + 1, k):
                gap = max(gap, abs(values[j] - y1 - slope * (nodes[j] - t1)))
    return gap


def is_broken(places, jumps, left: float, right: float, threshold: Fraction) -> bool:
    """Half of the gap is at least the threshold c epsilon."""
    return largest_gap(places, jumps, left, right) >= 2 * threshold


def bin_number(place: float, edges) -> int | None:
    """The bin [left, right) that owns the place."""
    for number, (left, right) in enumerate(itertools.pairwise(edges)):
        if left <= place < right:
            return number
    return None


def walk(places, jumps, edges, *, target: int, threshold: Fraction, cap: int):
    """The number of broken bins after every step, one neuron at a time, without and with a cap.

    `places[target]` and `jumps[target]` are there from the start; the others are added in order.
    The capped configuration leaves a neuron out that would break one bin more than `cap`.

    Returns the original process, the capped one, and the copy that follows the moves of the first.
    """

    known: dict[tuple[int, ...], bool] = {}  # by the kinks of a bin: most bins do not change

    def broken(kept) -> int:
        groups: dict[int, list[int]] = {}
        for i in kept:
            number = bin_number(float(places[i]), edges)
            if number is not None:
                groups.setdefault(number, []).append(i)
        for number, members in groups.items():
            if tuple(members) not in known:
                known[tuple(members)] = is_broken(
                    [places[i] for i in members],
                    [jumps[i] for i in members],
                    edges[number],
                    edges[number + 1],
                    threshold,
                )
        return sum(known[tuple(members)] for members in groups.values())

    everything, own = [target], [target]
    original, capped, copied = [broken([target])], [broken([target])], [broken([target])]
    for i in range(len(places)):
        if i == target:
            continue
        everything = [*everything, i]
        original.append(broken(everything))
        tried = broken([*own, i])
        if tried <= cap:
            own = [*own, i]
        capped.append(broken(own))
        move = original[-1] - original[-2]
        copied.append(max(0, min(cap, copied[-1] + move)))
    return original, capped, copied
