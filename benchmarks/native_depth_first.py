"""The subset of all whose vector sum is nearest to the target, depth first in numba.

Needs numba. A partial subset is dropped where its sum and the range of the undecided items miss the
best error so far in some row: the coordinates, and sums and differences of pairs of them. Float32
sums; nothing here is shared with the package.
"""

import numba
import numpy as np


def least_error(items: np.ndarray, target: np.ndarray, pairs: int = 2) -> float:
    """The least error in the largest coordinate, over all subsets.

    Items by decreasing norm; first bound by restarted local search (flip one or two); rows of
    16 coordinates at a time, tested until one misses; pairs cyclic offsets of sums and differences.
    """
    items, target = np.asarray(items, np.float64), np.asarray(target, np.float64)
    num_items, dim = items.shape
    order = np.argsort(-np.linalg.norm(items, axis=1))
    rows, goal = [items[order]], [target]
    for offset in range(1, pairs + 1):
        for sign in (1, -1):
            rows.append((items[order] + sign * np.roll(items[order], -offset, axis=1)) / 2)
            goal.append((target + sign * np.roll(target, -offset)) / 2)
    rows, goal = np.concatenate(rows, axis=1), np.concatenate(goal)
    pad = -rows.shape[1] % 16
    rows, goal = np.pad(rows, ((0, 0), (0, pad))), np.pad(goal, (0, pad))
    half = np.abs(rows) / 2
    left = np.concatenate([np.cumsum(half[::-1], axis=0)[::-1], np.zeros((1, rows.shape[1]))])
    bits = np.random.default_rng(0).random((24, num_items)) < 0.5
    bound = _local(np.ascontiguousarray(items[order], np.float32), target.astype(np.float32), bits)
    # the coordinates of a chunk of 16 hold at least one true coordinate; the first `dim` are errors
    best, _ = _search(
        (rows / 2).astype(np.float32),
        left.astype(np.float32),
        (rows.sum(axis=0) / 2 - goal).astype(np.float32),
        np.float32(bound),
        dim,
    )
    return float(best)


@numba.njit(fastmath=True, error_model="numpy")
def _local(items, target, starts):
    num_items, dim = items.shape
    best = np.float32(np.inf)
    change = np.empty_like(items)
    for s in range(starts.shape[0]):
        kept = starts[s].copy()
        rest = -target
        for i in range(num_items):
            if kept[i]:
                rest = rest + items[i]
        error = np.float32(np.inf)
        while True:
            for i in range(num_items):
                for d in range(dim):
                    change[i, d] = -items[i, d] if kept[i] else items[i, d]
            low, bi, bj = np.float32(np.inf), 0, 0
            for i in range(num_items):
                moved = rest + change[i]
                e = np.float32(0)
                for d in range(dim):
                    e = max(e, abs(moved[d]))
                if e < low:
                    low, bi, bj = e, i, i
                for j in range(i):
                    e = np.float32(0)
                    for d in range(dim):
                        e = max(e, abs(moved[d] + change[j, d]))
                    if e < low:
                        low, bi, bj = e, i, j
            if not low < error - np.float32(1e-6):
                break
            error = low
            kept[bi] ^= True
            rest = rest + change[bi]
            if bi != bj:
                kept[bj] ^= True
                rest = rest + change[bj]
        best = min(best, error)
    return best


@numba.njit(fastmath=True, error_model="numpy")
def _search(halves, left, first, best, dim):
    num_items, num_rows = halves.shape
    sums = np.empty((num_items + 1, num_rows), np.float32)
    sums[0] = first
    tried = np.zeros(num_items + 1, np.int8)
    depth, nodes = 0, 0
    best = best * np.float32(1 + 1e-6)
    while depth >= 0:
        side = tried[depth]
        if depth == num_items or side == 2:
            if depth == num_items:
                error = np.float32(0)
                for r in range(dim):
                    error = max(error, abs(sums[depth, r]))
                best = min(best, error)
            depth -= 1
            continue
        tried[depth] = side + 1
        nodes += 1
        here, there, half, range_ = sums[depth], sums[depth + 1], halves[depth], left[depth + 1]
        fits = True
        if side == 0:
            for c in range(0, num_rows, 16):
                worst = np.float32(-np.inf)
                for r in range(c, c + 16):
                    value = here[r] - half[r]
                    there[r] = value
                    worst = max(worst, abs(value) - range_[r])
                if worst > best:
                    fits = False
                    break
        else:
            for c in range(0, num_rows, 16):
                worst = np.float32(-np.inf)
                for r in range(c, c + 16):
                    value = here[r] + half[r]
                    there[r] = value
                    worst = max(worst, abs(value) - range_[r])
                if worst > best:
                    fits = False
                    break
        if fits:
            depth += 1
            tried[depth] = 0
    return best, nodes
