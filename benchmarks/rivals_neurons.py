"""Neuron pruning of one drawn network as a good user of NumPy would write it.

None of this shares code with the package. The target is relu(x_1) on the unit ball.
"""

import itertools

import numpy as np

from benchmarks.rivals_vectors import within, within_three, within_two

_STACK = 2**12  # partial subsets expanded together


def has_four(
    hidden: np.ndarray, output: np.ndarray, tolerance: float, groups: np.ndarray | None = None
) -> bool:
    """Is some subset of at most 4 neurons within `tolerance` of relu(x_1) on the unit ball?

    Candidates come from `within` on test points; survivors are decided by the exact supremum, all
    faces of the arrangement, vectorised over survivors. Stops at the first success. Of the neurons
    with one number in `groups` at most one is kept.
    """
    return _has(within, hidden, output, tolerance, groups)


def has_three(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """The same for at most 3 neurons: windows of neurons for pairs."""
    return _has(within_three, hidden, output, tolerance)


def has_two(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """The same for at most 2 neurons: windows of neurons for neurons."""
    return _has(within_two, hidden, output, tolerance)


def has_one(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """Is one neuron within `tolerance`, which is below 1: the closed form of its error."""
    size = np.linalg.norm(hidden, axis=1)
    strength, cosine = output * size, hidden[:, 0] / size
    is_candidate = (strength > 0) & (cosine > 0)  # of the others the error is 1 or more
    strength, cosine = strength[is_candidate], cosine[is_candidate]
    apart = np.sqrt(np.maximum(1 - 2 * strength * cosine + strength**2, 0))
    between = np.maximum(1, strength) * np.sqrt(1 - cosine**2)
    is_between = (strength > cosine) & (strength * cosine < 1)
    return bool((np.where(is_between, between, apart) <= tolerance).any())


def has_masked(
    hidden: np.ndarray, output: np.ndarray, target: np.ndarray, tolerance: float
) -> bool:
    """Do some weights of at most 4 neurons, in the plane, come within `tolerance` of the target?

    Each neuron offers three versions: both weights, or one of them. The plane is turned so that the
    target is relu(x_1).
    """
    masks = np.array([[1, 0], [0, 1], [1, 1]])
    versions = (hidden[:, None] * masks).reshape(-1, 2)
    turned = versions @ np.array([[target[0], -target[1]], [target[1], target[0]]])
    groups = np.repeat(np.arange(len(output)), len(masks))
    return has_four(turned, np.repeat(output, len(masks)), tolerance, groups)


def _has(within, hidden, output, tolerance, groups=None):
    dim = hidden.shape[1]
    points = _points(dim)
    values = output[:, None] * np.maximum(hidden @ points.T, 0)
    items = np.concatenate([(output * hidden[:, 0])[:, None], values], axis=1)
    center = np.append(1.0, np.maximum(points[:, 0], 0))
    reach = np.append(2 * tolerance, np.full(len(points), tolerance))
    signs = np.append(np.sign(output), 0.0)
    vectors = np.concatenate([np.abs(output)[:, None] * hidden, np.zeros((1, dim))])
    for members in within(items, center, reach):
        if groups is not None:
            owners = np.sort(np.append(groups, -1)[members], axis=1)
            is_twice = (owners[:, 1:] == owners[:, :-1]) & (owners[:, 1:] >= 0)
            members = members[~is_twice.any(axis=1)]
        if (_suprema(signs[members], vectors[members]) <= tolerance).any():
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


def has_any(hidden: np.ndarray, output: np.ndarray, tolerance: float) -> bool:
    """Is some subset of all neurons, in the plane, within `tolerance` of relu(x_1)?

    Depth first over subsets, many at a time: dropped where the sum at a test point and the range of
    the undecided neurons miss the tolerance. Complete ones are decided by the exact supremum.
    """
    points = _points(2)
    items = output[:, None] * np.maximum(hidden @ points.T, 0)
    order = np.argsort(-np.linalg.norm(items, axis=1))
    items, hidden, output = items[order], hidden[order], output[order]
    rises = np.cumsum(np.maximum(items, 0)[::-1], axis=0)[::-1]
    falls = np.cumsum(np.minimum(items, 0)[::-1], axis=0)[::-1]
    ahead = np.zeros((1, items.shape[1]))
    rises, falls = np.concatenate([rises, ahead]), np.concatenate([falls, ahead])
    stack = [(0, -np.maximum(points[:, 0], 0)[None], np.zeros((1, len(items)), bool))]
    while stack:
        depth, sums, masks = stack.pop()
        if depth == len(items):
            if (_plane_suprema(hidden, output, masks) <= tolerance).any():
                return True
            continue
        with_item = masks.copy()
        with_item[:, depth] = True
        sums = np.concatenate([sums, sums + items[depth]])
        masks = np.concatenate([masks, with_item])
        low, high = sums + falls[depth + 1], sums + rises[depth + 1]
        is_near = ((low <= tolerance) & (high >= -tolerance)).all(axis=1)
        sums, masks = sums[is_near], masks[is_near]
        for start in range(0, len(sums), _STACK):
            part = slice(start, start + _STACK)
            stack.append((depth + 1, sums[part], masks[part]))
    return False


def _plane_suprema(hidden, output, masks):
    """Exact suprema of |g_S - f| on the circle, for masks [batch, neuron].

    Between neighbouring breakpoints the difference is one linear form: its largest size is its
    length if its direction, or the opposite one, lies between them, else it is taken at an end.
    """
    planes = np.concatenate([hidden, [[1.0, 0.0]]])
    weights = np.concatenate([masks * output, -np.ones((len(masks), 1))], axis=1)
    turns = np.arctan2(planes[:, 1], planes[:, 0])
    ends = np.sort(np.concatenate([turns + np.pi / 2, turns - np.pi / 2]) % (2 * np.pi))
    starts, stops = ends, np.append(ends[1:], ends[0] + 2 * np.pi)
    middles = (starts + stops) / 2
    is_active = planes @ np.stack([np.cos(middles), np.sin(middles)]) > 0  # [plane, arc]
    forms = np.einsum("bp,pa,pd->bad", weights, is_active, planes)
    length = np.linalg.norm(forms, axis=2)
    angle = np.arctan2(forms[..., 1], forms[..., 0])
    is_inside = ((angle - starts) % np.pi) <= stops - starts
    at_ends = [np.abs(length * np.cos(angle - end)) for end in (starts, stops)]
    return np.where(is_inside, length, np.maximum(*at_ends)).max(axis=1)
