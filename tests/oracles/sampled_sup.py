"""The sup of a ReLU sum's error over the unit sphere, by two independent ways.

`sampled_sup` knows nothing of the geometry: it tries points and climbs. `face_sup` lists faces, but
projects by pseudo-inverses (singular values) in float64, so that it can referee rounding.
"""

import itertools

import numpy as np


def error(signs, vectors, target, points, output="linear"):
    """|sum_i signs_i relu(<vectors_i, x>) - relu(<target, x>)| at each point [..., dim]."""
    value = np.maximum(points @ vectors.T, 0) @ signs
    if output == "relu":
        value = np.maximum(value, 0)
    return np.abs(value - np.maximum(points @ target, 0))


def sampled_sup(signs, vectors, target, output="linear", *, seed=0, samples=400_000, starts=48):
    """Largest error of random points, and the same after climbing from the best of them.

    The climb keeps the best of many perturbations of shrinking size, isotropic ones and ones along
    the single coordinates, so that it follows ridges (kinks), where gradients stall.
    """
    rng = np.random.default_rng(seed)
    signs, vectors, target = (np.asarray(x, np.float64) for x in (signs, vectors, target))
    dim = target.size

    def on_sphere(points):
        return points / np.linalg.norm(points, axis=-1, keepdims=True)

    def at(points):
        return error(signs, vectors, target, points, output)

    points = on_sphere(rng.normal(size=(samples, dim)))
    errors = at(points)
    best = np.argpartition(errors, -starts)[-starts:]
    points, sampled = points[best], errors[best]
    climbed = sampled.copy()
    for size in np.geomspace(0.3, 1e-7, 220):
        moves = rng.normal(size=(starts, 40, dim)) * rng.exponential(size=(starts, 40, 1))
        along = np.broadcast_to(np.concatenate([np.eye(dim), -np.eye(dim)]), (starts, 2 * dim, dim))
        trial = on_sphere(points[:, None] + size * np.concatenate([moves, along], axis=1))
        errors = at(trial)
        pick = np.argmax(errors, axis=1)
        rows = np.arange(starts)
        improves = errors[rows, pick] > climbed
        points = np.where(improves[:, None], trial[rows, pick], points)
        climbed = np.maximum(climbed, errors[rows, pick])
    return sampled.max(), climbed.max()


def face_sup(signs, vectors, target, output="linear"):
    """Exact sup of each instance of a batch: signs [b, k], vectors [b, k, dim], target [b, dim]."""
    signs, vectors, target = (np.asarray(x, np.float64) for x in (signs, vectors, target))
    normals = np.concatenate([target[:, None], vectors], axis=1)
    weights = np.concatenate([-np.ones_like(signs[:, :1]), signs], axis=1)
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    units = normals / np.where(lengths > 0, lengths, 1)
    count, dim = normals.shape[1:]
    best = np.zeros(len(target))

    def onto_flat(form, rows):
        for _ in range(2):
            form = form - np.einsum("bdr,brc,bc->bd", np.linalg.pinv(rows, rcond=1e-13), rows, form)
        return form

    def consider(x):
        nonlocal best
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        x = x / np.where(length > 0, length, 1)
        for point in (x, -x):
            sides = np.maximum(np.einsum("bnd,bd->bn", normals, point), 0)
            value = np.einsum("bn,bn->b", weights[:, 1:], sides[:, 1:])
            value = np.maximum(value, 0) if output == "relu" else value
            best = np.maximum(best, np.abs(value - sides[:, 0]))

    for size in range(min(dim, count)):
        for on in itertools.combinations(range(count), size):
            rows = units[:, on]
            for active in itertools.product(*((0,) if i in on else (0, 1) for i in range(count))):
                slopes = weights * np.array(active, float)
                consider(onto_flat(np.einsum("bn,bnd->bd", slopes, normals), rows))
                if output == "relu" and active[0]:
                    fold = onto_flat(np.einsum("bn,bnd->bd", slopes[:, 1:], normals[:, 1:]), rows)
                    length = np.linalg.norm(fold, axis=-1, keepdims=True)
                    fold = fold / np.where(length > 0, length, 1)
                    consider(onto_flat(target, np.concatenate([rows, fold[:, None]], axis=1)))
    return best


def hard_instances(seed, batch, neurons, dim):
    """Float32 instances that are hard to round: signs [b, k], vectors [b, k, dim], target [b, dim].

    In turn: plain normal vectors; vectors nearly parallel to one another or to the target, down to
    1e-8; lengths in ratios up to 1e8; sums that nearly cancel the target; nearly coplanar normals;
    near-copies of the target that share it out; parallel with unequal lengths; small integers with
    duplicates and zeros.
    """
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (batch, neurons))
    vectors, target = np.empty((batch, neurons, dim)), np.empty((batch, dim))
    for b in range(batch):
        v, t = rng.normal(size=(neurons, dim)), rng.normal(size=dim)
        t /= np.linalg.norm(t)
        kind, tiny = b % 8, 10.0 ** rng.uniform(-8, -1, size=neurons + 1)
        if kind in (1, 6):
            for i in range(1, neurons):
                if rng.random() < 0.7:
                    near = v[rng.integers(i)] + tiny[i] * rng.normal(size=dim)
                    v[i] = rng.choice([-1, 1]) * rng.choice([1, rng.uniform(0.1, 3)]) * near
            if rng.random() < 0.5:
                v[0] = rng.uniform(0.5, 2) * (t + tiny[0] * rng.normal(size=dim))
        if kind in (2, 6):
            v *= 10.0 ** rng.uniform(-4, 4, size=(neurons, 1))
        if kind == 3:
            others = signs[b, :-1] @ v[:-1]
            v[-1] = signs[b, -1] * (t - others + tiny[0] * rng.normal(size=dim))
        if kind == 4:
            flat = rng.normal(size=(max(1, dim - 1), dim))
            v = rng.normal(size=(neurons, len(flat))) @ flat + tiny[0] * rng.normal(
                size=(neurons, dim)
            )
        if kind == 5:
            v = rng.dirichlet(np.ones(neurons))[:, None] * (
                t + tiny[0] * rng.normal(size=(neurons, dim))
            )
            signs[b] = 1
        if kind == 7:
            v = rng.integers(-2, 3, size=(neurons, dim)).astype(float)
            t = rng.integers(-1, 2, size=dim).astype(float)
        vectors[b], target[b] = v, t
    return tuple(x.astype(np.float32) for x in (signs, vectors, target))
