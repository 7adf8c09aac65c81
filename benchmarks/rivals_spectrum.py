"""Spectra by other libraries: matfree (JAX), PyHessian and curvlinops (torch).

Each function prepares the problem and returns a run, which gives nodes and weights of all probes.
"""

from collections.abc import Callable

import numpy as np

Run = Callable[[], tuple[np.ndarray, np.ndarray]]


def matfree(operator, *, probes: int, steps: int) -> Run:
    """Tridiagonal matrices with full reorthogonalisation, probes under vmap, on our products."""
    import jax
    import jax.numpy as jnp
    from matfree import decomp

    decompose = decomp.tridiag_sym(steps, reortho="full", materialize=True, custom_vjp=False)

    @jax.jit
    def matrices(arrays, starts):
        def one(start):
            def multiply(vector):
                return operator.product(arrays, vector[None])[0]

            return decompose(multiply, start).J_small

        return jax.lax.map(one, starts)

    generator = np.random.default_rng(0)

    def run():
        starts = generator.choice([-1.0, 1.0], size=(probes, operator.size))
        found = matrices(operator.arrays, jnp.asarray(starts, jnp.float32))
        values, vectors = np.linalg.eigh(np.asarray(found, np.float64))
        return values, vectors[:, 0] ** 2

    return run


def pyhessian(problem, *, probes: int, steps: int) -> Run:
    """Its density, one batch held in memory; torch.eig is gone, so torch.linalg.eigh stands in."""
    import torch
    from pyhessian import hessian

    torch.eig = _eig  # what is there under this name only raises
    model, images, labels = _in_torch(problem)
    held = hessian(model, torch.nn.CrossEntropyLoss(), data=(images, labels), cuda=False)

    def run():
        values, weights = held.density(iter=steps, n_v=probes)
        return np.asarray(values, np.float64), np.asarray(weights, np.float64)

    return run


def curvlinops(problem, *, probes: int, steps: int) -> Run:
    """Its Lanczos run behind the approximate spectrum, once for each probe."""
    import torch
    from curvlinops import HessianLinearOperator
    from curvlinops.papyan2020traces.spectrum import fast_lanczos

    model, images, labels = _in_torch(problem)
    matrix = HessianLinearOperator(
        model,
        torch.nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(images, labels)],
        check_deterministic=False,
    )

    def run():
        torch.manual_seed(0)
        pairs = [fast_lanczos(matrix, steps) for _ in range(probes)]
        values = np.stack([values.double().numpy() for values, _ in pairs])
        return values, np.stack([vectors[0].double().numpy() ** 2 for _, vectors in pairs])

    return run


def _eig(matrix, eigenvectors):
    import torch

    values, vectors = torch.linalg.eigh(matrix)
    return torch.stack([values, torch.zeros_like(values)], dim=1), vectors


def _in_torch(problem):
    """The network of `cases_spectrum` with the same weights."""
    import torch
    from torch import nn

    kind, params, images, labels = problem
    if kind == "mlp":
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    else:
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1568, 60),
            nn.ReLU(),
            nn.Linear(60, 10),
        )
    layers = [layer for layer in model if hasattr(layer, "weight")]
    dense = 0
    with torch.no_grad():
        for layer, given in zip(layers, params, strict=True):
            kernel = given["kernel"]
            if kernel.ndim == 4:
                kernel = kernel.transpose(3, 2, 0, 1)
            elif dense == 0 and kind == "cnn":
                # Channels come first in torch, last in ours.
                kernel = kernel.reshape(7, 7, 32, -1).transpose(3, 2, 0, 1)
                kernel = kernel.reshape(len(kernel), -1)
            else:
                kernel = kernel.T
            dense += given["kernel"].ndim == 2
            layer.weight.copy_(torch.tensor(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.tensor(given["bias"]))
    channels_first = torch.tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return model, channels_first, torch.tensor(labels, dtype=torch.long)
