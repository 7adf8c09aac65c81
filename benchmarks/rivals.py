"""The rivals: NumPy as a good user would write it, one instance at a time, and SciPy's MILP solver.

None of this shares code with the package.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

BLOCK = 256


def within(items: np.ndarray, center: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of subsets of at most 4 items with |sum - center| <= reach in every coordinate.

    Pairs are sorted by the first coordinate; for blocks of pairs the windows of partners come from
    searchsorted, and candidates are filtered coordinate by coordinate.
    """
    none = len(items)
    items = np.concatenate([items, np.zeros((1, items.shape[1]))])
    first, second = np.triu_indices(none, 1)
    first = np.concatenate([[none], np.arange(none), first])
    second = np.concatenate([[none], np.full(none, none), second])
    sums = items[first] + items[second]
    order = np.argsort(sums[:, 0])
    first, second, sums = first[order], second[order], sums[order].T.copy()
    along = sums[0]
    for start in range(0, len(along), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(along)))
        low = np.searchsorted(along, center[0] - reach[0] - along[rows])
        high = np.searchsorted(along, center[0] + reach[0] - along[rows], side="right")
        low = np.maximum(low, rows)  # every unordered pair of pairs once
        count = np.maximum(high - low, 0)
        if not count.sum():
            continue
        row = np.repeat(rows, count)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        column += np.repeat(low, count)
        for axis in range(1, len(center)):
            near = np.abs(sums[axis][row] + sums[axis][column] - center[axis]) <= reach[axis]
            row, column = row[near], column[near]
        members = np.stack([first[row], second[row], first[column], second[column]], axis=1)
        members.sort(axis=1)
        repeated = (members[:, 1:] == members[:, :-1]) & (members[:, 1:] < none)
        members = members[~repeated.any(axis=1)]
        if len(members):
            yield np.unique(members, axis=0)


def few_items_within(items: np.ndarray, target: np.ndarray, tolerance: float) -> set:
    """All subsets of at most 4 items within the tolerance in the max norm."""
    reach = np.full(len(target), tolerance)
    rows = itertools.chain.from_iterable(map(np.ndarray.tolist, within(items, target, reach)))
    return {tuple(item for item in row if item < len(items)) for row in rows}


def few_items_milp(items: np.ndarray, target: np.ndarray, max_kept: int) -> float:
    """The least max-norm error over subsets of at most `max_kept` items, by HiGHS."""
    num_items, dim = items.shape
    cost = np.append(np.zeros(num_items), 1.0)
    over = np.concatenate([items.T, -np.ones((dim, 1))], axis=1)
    under = np.concatenate([-items.T, -np.ones((dim, 1))], axis=1)
    kept = np.append(np.ones(num_items), 0.0)[None]
    constraints = [
        LinearConstraint(over, ub=target),
        LinearConstraint(under, ub=-target),
        LinearConstraint(kept, ub=max_kept),
    ]
    integrality = np.append(np.ones(num_items), 0)
    upper = np.append(np.ones(num_items), np.inf)
    found = milp(
        cost,
        constraints=constraints,
        integrality=integrality,
        bounds=Bounds(0, upper),
        options={"mip_rel_gap": 0.0},
    )
    return float(found.fun)


def nearest_sum(items: np.ndarray, target: float) -> float:
    """The least |subset sum - target|, meet in the middle: one sort and one searchsorted."""
    left, right = items[: len(items) // 2], items[len(items) // 2 :]
    sums = []
    for half in (left, right):
        total = np.zeros(1)
        for item in half:
            total = np.concatenate([total, total + item])
        sums.append(total)
    ordered = np.sort(sums[0])
    wanted = target - sums[1]
    above = np.searchsorted(ordered, wanted)
    gap_above = np.abs(ordered[np.minimum(above, len(ordered) - 1)] - wanted)
    gap_below = np.abs(ordered[np.maximum(above - 1, 0)] - wanted)
    return float(min(gap_above.min(), gap_below.min()))


def nearest_sum_milp(items: np.ndarray, target: float) -> float:
    """The least |subset sum - target|, by HiGHS."""
    return few_items_milp(items[:, None], np.array([target]), len(items))


def has_neurons(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """Is some subset of at most 4 neurons within `tolerance` of relu(x_1) on the unit ball?

    Candidates come from `within` on test points; survivors are decided by the exact supremum, all
    faces of the arrangement, vectorised over survivors. Stops at the first success.
    """
    dim = hidden.shape[1]
    points = _points(dim)
    values = output[:, None] * np.maximum(hidden @ points.T, 0)
    items = np.concatenate([(output * hidden[:, 0])[:, None], values], axis=1)
    center = np.append(1.0, np.maximum(points[:, 0], 0))
    reach = np.append(2 * tolerance, np.full(len(points), tolerance))
    signs = np.append(np.sign(output), 0.0)
    vectors = np.concatenate([np.abs(output)[:, None] * hidden, np.zeros((1, dim))])
    return any(
        (_suprema(signs[members], vectors[members]) <= tolerance).any()
        for members in within(items, center, reach)
    )


def _points(dim):
    axes = np.eye(dim)
    pairs = itertools.combinations(range(dim), 2)
    diagonals = [axes[i] + s * axes[j] for i, j in pairs for s in (-1, 1)]
    points = np.concatenate([np.stack(diagonals), axes])
    points = np.concatenate([points, -points])
    if dim == 2:
        angle = np.pi / 8 + np.pi / 4 * np.arange(8)
        points = np.concatenate([points, np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _suprema(signs, vectors):
    """Exact suprema of |g_S - f| for a batch [batch, kept, dim]; dim 2 or 3."""
    batch, _, dim = vectors.shape
    target = np.zeros((batch, 1, dim))
    target[:, 0, 0] = 1
    planes = np.concatenate([target, vectors], axis=1)
    weights = np.concatenate([-np.ones((batch, 1)), signs], axis=1)
    best = np.zeros(batch)
    for size in range(dim):
        for on in itertools.combinations(range(planes.shape[1]), size):
            others = [plane for plane in range(planes.shape[1]) if plane not in on]
            patterns = np.array(list(itertools.product((0, 1), repeat=len(others))))
            forms = np.einsum("pk,bk,bkd->bpd", patterns, weights[:, others], planes[:, others])
            best = np.maximum(best, _largest(_onto(forms, planes[:, on]), planes, weights))
    return best


def _onto(forms, normals):
    """Project the forms onto the flat orthogonal to up to two normals."""
    if normals.shape[1] == 2 and forms.shape[2] == 3:
        line = np.cross(normals[:, 0], normals[:, 1])
        return line[:, None] * np.ones((1, forms.shape[1], 1))
    for normal in np.moveaxis(normals, 1, 0):
        square = np.maximum((normal**2).sum(axis=1), 1e-300)
        shadow = np.einsum("bpd,bd->bp", forms, normal) / square[:, None]
        forms = forms - shadow[..., None] * normal[:, None]
    return forms


def _largest(points, planes, weights):
    length = np.linalg.norm(points, axis=2, keepdims=True)
    points = points / np.maximum(length, 1e-300)
    heights = np.einsum("bpd,bkd->bpk", points, planes)
    ahead = np.abs(np.einsum("bpk,bk->bp", np.maximum(heights, 0), weights))
    behind = np.abs(np.einsum("bpk,bk->bp", np.maximum(-heights, 0), weights))
    return np.maximum(ahead, behind).max(axis=1)
