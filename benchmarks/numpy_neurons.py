"""Neuron pruning in NumPy, as a good user would write it: one draw at a time, vectorised inside.

Pairs of neurons are sorted by the linear coordinate; for blocks of pairs the windows of partners
come from searchsorted, candidates are filtered test point by test point, and the survivors are
decided by the exact supremum (all faces of the arrangement, vectorised over survivors).
"""

import itertools

import numpy as np

BLOCK = 256


def has_subset(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """Is some subset of at most 4 neurons within `tolerance` of relu(x_1) on the unit ball?"""
    num_neurons, dim = hidden.shape
    points = _points(dim)
    heights = np.maximum(points[:, 0], 0)
    features = np.concatenate(
        [
            (output * hidden[:, 0])[:, None],
            output[:, None] * np.maximum(hidden @ points.T, 0),
        ],
        axis=1,
    )
    center = np.concatenate([[1.0], heights])
    reach = np.concatenate([[2 * tolerance], np.full(len(points), tolerance)])
    features = np.concatenate([features, np.zeros((1, features.shape[1]))])
    first, second = np.triu_indices(num_neurons, 1)
    none = num_neurons
    first = np.concatenate([[none], np.arange(num_neurons), first])
    second = np.concatenate([[none], np.full(num_neurons, none), second])
    sums = features[first] + features[second]
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
            signs = np.append(np.sign(output), 0.0)[members]
            strengths = np.abs(output)[:, None] * hidden
            vectors = np.concatenate([strengths, np.zeros((1, dim))])[members]
            if (_suprema(signs, vectors) <= tolerance).any():
                return True
    return False


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
