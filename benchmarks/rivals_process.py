"""The three processes of the lower bound as a good user of NumPy would walk and count them.

None of this shares code with the package. The paths are walked one by one, each bin with the sorted
list of its kinks, so that a step touches one bin; the counts are taken over all paths together.
"""

import bisect
import math
from typing import Any

import numpy as np


def processes(
    places: np.ndarray,
    jumps: np.ndarray,
    coins: np.ndarray,
    *,
    radius: float,
    length: float,
    constant: float,
    cap: int,
    chain: tuple[float, float, tuple[float, ...], tuple[float, ...]],
) -> dict[str, Any]:
    """Counts over paths of the original process, the capped one in both readings, and the chain."""
    end = math.sqrt(radius**2 - 1)
    edges = np.minimum(np.arange(math.ceil(2 * end / length - 1e-6) + 1) * length - end, end)
    walked = [
        _walk(*path, edges.tolist(), 2 * constant * length, cap, chain)
        for path in zip(places.tolist(), jumps.tolist(), coins.tolist(), strict=True)
    ]
    every = np.array([counts for counts, _ in walked]).transpose(2, 0, 1)  # [process, path, time]
    held = np.array([held for _, held in walked])
    original, own, copy, slow = every
    is_zero = every == 0
    copy_held = (copy[:, :-1] == cap) & (np.diff(original) == 1)
    beyond = original[:, :-1] > cap
    pairs = ((own, original), (copy, original), (slow, own))
    most = len(edges)
    return {
        "violations": np.array([(high > low).any(axis=1).sum() for high, low in pairs]),
        "zero": is_zero.sum(axis=1),
        "total": every.sum(axis=1),
        "zero_alone": np.stack([is_zero[0] & ~is_zero[1], ~is_zero[0] & is_zero[1]]).sum(axis=1),
        "original_moves": _moves(original, held & False, held | True, most).sum(axis=0),
        "own_moves": _moves(own, held, held | True, cap + 1),
        "copy_moves": np.stack(
            [_moves(copy, copy_held, beyond == side, cap + 1).sum(axis=0) for side in (False, True)]
        ),
    }


def _moves(process, held, is_counted, states):
    """Steps by number, state before them, and move: down, stay, up, held back."""
    move = np.where(held, 3, np.diff(process) + 1)
    counts = np.zeros((held.shape[1], states, 4), np.int64)
    step = np.broadcast_to(np.arange(held.shape[1]), held.shape)
    np.add.at(counts, (step[is_counted], process[:, :-1][is_counted], move[is_counted]), 1)
    return counts


def _walk(places, jumps, coins, edges, threshold, cap, chain):
    """The four counts before the first step and after each, and which neurons were left out."""
    p, q, up, down = chain
    everything, own = ([[] for _ in edges] for _ in range(2))  # sorted kinks, bin by bin
    start = bisect.bisect_right(edges, places[0]) - 1
    for kinks in (everything, own):
        kinks[start].append((places[0], jumps[0]))
    is_broken, is_own_broken = ([number == start for number in range(len(edges))] for _ in "ab")
    counts, held = [(1, 1, 1, 1)], []
    for place, jump, coin in zip(places[1:], jumps[1:], coins, strict=True):
        original, capped, copy, slow = counts[-1]
        move = own_move = 0
        held.append(False)
        if edges[0] <= place < edges[-1]:
            number = bisect.bisect_right(edges, place) - 1
            ends = edges[number], edges[number + 1]
            is_same = len(everything[number]) == len(own[number])
            bisect.insort(everything[number], (place, jump))
            breaks = _gap(everything[number], *ends) >= threshold
            move = breaks - is_broken[number]
            is_broken[number] = breaks
            bisect.insort(own[number], (place, jump))
            if not is_same:
                breaks = _gap(own[number], *ends) >= threshold
            own_move = breaks - is_own_broken[number]
            if own_move == 1 and capped == cap:
                own[number].remove((place, jump))
                held[-1] = True
            else:
                is_own_broken[number] = breaks
        stay = max(1 - up[capped] - down[capped], 1e-9)
        rises = own_move == 1 and coin * up[capped] < p and slow < cap
        falls = own_move == -1 or (own_move == 0 and coin * stay < q - down[capped])
        slow += rises - (falls and slow > 0)
        copy = min(max(copy + move, 0), cap)
        counts.append((original + move, capped + (0 if held[-1] else own_move), copy, slow))
    return counts, held


def _gap(kinks, left, right):
    """The largest gap between the hulls of the sorted kinks of one bin."""
    if len(kinks) == 1:
        place, jump = kinks[0]
        return abs(jump) * (place - left) * (right - place) / (right - left)
    points, slope, value, last = [(left, 0.0)], 0.0, 0.0, left
    for place, jump in kinks:
        value += slope * (place - last)
        points.append((place, value))
        slope, last = slope + jump, place
    points.append((right, value + slope * (right - last)))
    upper, lower = _hull(points, 1), _hull(points, -1)
    return max(_farthest(upper, lower), _farthest(lower, upper))


def _hull(points, side):
    """The upper (side 1) or lower (-1) hull of points from left to right."""
    hull = []
    for t, y in points:
        while len(hull) > 1:
            (t0, y0), (t1, y1) = hull[-2:]
            if side * ((y1 - y0) * (t - t0) - (y - y0) * (t1 - t0)) > 0:
                break
            hull.pop()
        hull.append((t, y))
    return hull


def _farthest(corners, hull):
    """How far a corner lies, at most, from the other hull."""
    best, piece = 0.0, 0
    for t, y in corners[1:-1]:
        while hull[piece + 1][0] < t:
            piece += 1
        (t0, y0), (t1, y1) = hull[piece : piece + 2]
        best = max(best, abs(y - y0 - (y1 - y0) * (t - t0) / (t1 - t0)))
    return best
