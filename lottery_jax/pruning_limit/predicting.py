"""How much of a trained network can be removed, predicted from the curvature of its loss."""

import math
import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float64, PRNGKeyArray, PyTree

from lottery_jax.core.leaves import Chosen, choose_leaves
from lottery_jax.pruning_limit import forms, reoptimised
from lottery_jax.pruning_limit.crossing import Limit, first_change, last_step
from lottery_jax.pruning_limit.displaced import Displaced, displaced_memory
from lottery_jax.pruning_limit.magnitude import num_removed, squared_distances
from lottery_jax.pruning_limit.measures import Negative, curvatures
from lottery_jax.pruning_limit.prediction import FORMS, FormCurve, FormLimit, PruningLimit
from lottery_jax.pruning_limit.window import window
from lottery_jax.spectrum import products as curvature
from lottery_jax.spectrum.batches import Loss, evaluate_batches
from lottery_jax.spectrum.estimate import estimate_spectrum, plan_products
from lottery_jax.spectrum.mean_operator import Keep
from lottery_jax.spectrum.memory import check_memory
from lottery_jax.spectrum.operator import Operator
from lottery_jax.spectrum.quadrature import Spectrum, step_error_of

_CLOSED = {"paper": forms.paper, "generic": forms.generic}
_POINTS = 201  # of a curve
# Of a limit that is searched with products: a part of the window, and no less than the second.
_RESOLUTION = 0.02, 2e-4
# Fractions removed at which a form that costs many products, or one, is looked at first.
_FEW_PLACES = (0.5, 0.75, 0.9, 1.0)
_MANY_PLACES = tuple(number / 20 for number in range(1, 21))


def predict(
    loss: Loss,
    params: PyTree,
    batches: Sequence[PyTree],
    *,
    key: PRNGKeyArray,
    epsilon: float | Literal["deviation"] = "deviation",
    prunable: Chosen = None,
    negative: Literal["abs", "flat", "gauss_newton"] = "abs",
    products: int = 1600,
    failure: float = 0.01,
    predicted: Sequence[str] = tuple(FORMS),
    keep: Keep = "auto",
    mesh: Mesh | None = None,
    checkpoint: str | os.PathLike | None = None,
    memory_limit: int | None = None,
) -> PruningLimit:
    """The pruning limit of a trained network, in one call.

    Parameters
    ----------
    loss
        (params, batch) -> scalar, the mean over the batch, without penalties and randomness. For
        negative="gauss_newton" a `products.SplitLoss`.
    params
        The trained parameters, any pytree.
    batches
        A list of batches, the same on every run; arrays whose first axis counts examples.
    key
        For the random probes of the spectrum.
    epsilon
        The loss allowed above that at `params`: a number, or "deviation" for the standard deviation
        of the loss over the batches, as the paper has it (with batches of 128).
    prunable
        Which leaves may be pruned; see `core.leaves.choose_leaves`.
    negative
        What negative eigenvalues of the Hessian count as: "abs" their size, as in the paper, which
        is cautious; "flat" zero, which is not; "gauss_newton" takes the Gauss-Newton matrix, which
        has none.
    products
        Of the curvature with a vector, spent on the spectrum. Most eigenvalues of a trained network
        are tiny, and pruning far needs them resolved: where `low` and `high` lie far apart, spend
        more. The forms that look at the displacement itself spend some hundreds beside.
    failure
        Probability that the transition misses its window, given the curvature.
    predicted
        Names in `prediction.FORMS`.
    keep, mesh
        What stays in memory, and devices; see `spectrum.products.hessian`.
    checkpoint
        A file in which the estimate of the spectrum goes on after an interruption.
    memory_limit
        Bytes, besides the data; by default what is there.

    Raises
    ------
    ValueError
        For wrong input, before the spectrum is estimated; the message names it.
    MemoryError
        Before the run that cannot fit, with the way out.
    FloatingPointError
        For a product that is not finite.

    Notes
    -----
    Zhang et al. (arXiv 2306.05857) for the paper's form; `forms` for all. Limits are fractions of
    the prunable weights removed. The displacement, reoptimised and one-shot forms need not fall
    everywhere: theirs is the first place, on a grid, where they lie below the fraction removed.
    Cost: one pass over the batches a product.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from lottery_jax.core import keys
    >>> scales = jnp.linspace(0.1, 1.0, 300)
    >>> def loss(weights, batch):
    ...     return jnp.mean(batch * jnp.sum(scales * (weights[:, 0] - start[:, 0]) ** 2) / 2)
    >>> start = jnp.linspace(-1.0, 1.0, 300)[:, None]
    >>> limit = predict(loss, start, [jnp.ones(4)], key=keys.root(0), epsilon=2.0)
    >>> 0.3 < limit.limits["paper"].limit < limit.limits["displacement"].limit < 0.6
    True
    """
    leaves = choose_leaves(params, prunable)
    if isinstance(predicted, str) or not predicted or not set(predicted) <= set(FORMS):
        raise ValueError(f"{predicted=} must be a list of some of {', '.join(FORMS)}")
    if negative not in ("abs", "flat", "gauss_newton"):
        raise ValueError(f'{negative=} must be "abs", "flat" or "gauss_newton"')
    half_width = window(leaves.size, failure=failure)
    at_batches = evaluate_batches(loss, params, batches)
    epsilon, source = _epsilon(epsilon, at_batches)
    needed = max(
        plan_products(leaves.size, products).memory(leaves.size),
        displaced_memory(leaves.size) if set(predicted) & {"displacement", "reoptimised"} else 0,
    )
    check_memory(needed, memory_limit, way_out='take fewer products, or only "paper" and "generic"')
    operator = _operator(loss, params, batches, leaves, negative, keep, mesh)
    slope = curvature.gradient(loss, params, batches, leaves=leaves)
    spectrum = estimate_spectrum(
        operator, key=key, products=products, checkpoint=checkpoint, memory_limit=memory_limit
    )
    weights = leaves.vector(params)
    displaced = Displaced(operator, weights, slope, memory_limit=memory_limit)
    forms_ = _Forms(spectrum, displaced, np.asarray(weights), epsilon, negative, half_width)
    curves: dict[str, FormCurve] = {}
    limits: dict[str, FormLimit] = {}
    for form in (name for name in FORMS if name in predicted and name != "one-shot"):
        curves[form], found = forms_.trace(form)
        low, high = max(found.low - half_width, 0.0), min(found.high + half_width, 1.0)
        limits[form] = FormLimit(form, found.removed, found.low, found.high, low, high)
    if "one-shot" in predicted:  # not a matter of subspaces: no window
        low, high = forms_.one_shot()
        limits["one-shot"] = FormLimit("one-shot", low, low, high, low, high)
    told_at = "displacement" if "displacement" in limits else next(iter(limits))
    gradient_change, _ = displaced.change(num_removed(limits[told_at].limit, leaves.size))
    return PruningLimit(
        epsilon=epsilon,
        epsilon_from=source,
        loss=at_batches.mean,
        negative=negative,
        limits=limits,
        curves=curves,
        gradient_change=gradient_change,
        gradient_at=told_at,
        window=half_width,
        failure=failure,
        num_products=spectrum.num_products + displaced.num_products,
        spectrum=spectrum,
        leaves=leaves,
        weights=np.asarray(weights),
    )


class _Forms:
    """Every form as a function of the number of weights removed, with its error."""

    def __init__(
        self,
        spectrum: Spectrum,
        displaced: Displaced,
        weights: np.ndarray,
        epsilon: float,
        negative: str,
        half_width: float,
    ):
        self._step = max(round(max(_RESOLUTION[0] * half_width, _RESOLUTION[1]) * len(weights)), 1)
        self._epsilon, self._size, self._displaced = epsilon, len(weights), displaced
        self._sign: Negative = "flat" if negative == "flat" else "abs"
        self._distances = np.sqrt(squared_distances(weights))
        self._probes = _Measure(curvatures(spectrum.nodes, self._sign), spectrum.weights)
        self._others = [
            _Measure(curvatures(rule.nodes, self._sign), rule.weights)
            for rule in (spectrum.half, spectrum.quarter, spectrum.gauss)
        ]

    def trace(self, form: str) -> tuple[FormCurve, Limit]:
        """The curve of a form and the limit it gives."""
        if form in _CLOSED:
            closed = _CLOSED[form]
            limit = last_step(lambda removed: self._closed(closed, removed), self._size)
            places = np.unique(
                [num_removed(float(part), self._size) for part in np.linspace(0, 1, _POINTS)]
            ).tolist()
            known = {removed: self._closed(closed, removed) for removed in places}
            return self._curve(known), limit
        known = {0: (1.0, 0.0)}

        def excess(removed: int) -> float:
            if removed not in known:
                known[removed] = self._displacement(form, removed)
            return known[removed][0] - removed / self._size

        low, high = first_change(excess, self._size, grid=_FEW_PLACES, step=self._step)
        # The form falls, so that its error moves the limit by no more than the error.
        error = max(known[low][1], known[high][1])
        ends = max(low / self._size - error, 0.0), min(high / self._size + error, 1.0)
        return self._curve(known), Limit(low / self._size, *ends)

    def one_shot(self) -> tuple[float, float]:
        """The fractions removed between which the quadratic model of the loss reaches epsilon."""

        def excess(removed: int) -> float:
            return self._epsilon - sum(self._displaced.change(removed))

        low, high = first_change(excess, self._size, grid=_MANY_PLACES, step=self._step)
        return low / self._size, high / self._size

    def _curve(self, known: dict[int, tuple[float, float]]) -> FormCurve:
        places = sorted(known)
        values, errors = (np.array([known[place][i] for place in places]) for i in (0, 1))
        return FormCurve(np.array(places) / self._size, values, errors)

    def _closed(self, form, removed: int) -> tuple[float, float]:
        return self._with_error(form, float(self._distances[removed]))

    def _with_error(self, form, distance: float) -> tuple[float, float]:
        """The form for the mean measure of all probes, and its stated error."""
        at = {"distance": distance, "epsilon": self._epsilon}
        value = float(form(*self._probes.together(), **at))
        half, quarter, gauss = (float(form(*rule.together(), **at)) for rule in self._others)
        unresolved = float(step_error_of(value, half=half, quarter=quarter, gauss=gauss))
        return value, _half_width(form(*self._probes, **at)) + unresolved

    def _displacement(self, name: str, removed: int) -> tuple[float, float]:
        distance = float(self._distances[removed])
        if distance == 0:  # only zeros were removed
            return 1.0, 0.0
        seen = self._displaced.see(removed, with_kept=name == "reoptimised")
        function = {
            "displacement": forms.displacement,
            "reoptimised": reoptimised.reoptimised,
        }[name]

        def form(nodes, weights, *, own=(seen.nodes, seen.weights), **at):
            own_nodes, own_weights = own
            if name == "displacement":
                own_nodes, own_weights = own_nodes[0], own_weights[0]
            return function(nodes, weights, curvatures(own_nodes, self._sign), own_weights, **at)

        value, error = self._with_error(form, distance)
        end = form(
            *self._probes.together(),
            own=(seen.end_nodes, seen.end_weights),
            distance=distance,
            epsilon=self._epsilon,
        )
        return value, error + abs(value - float(end))


class _Measure(NamedTuple):
    """The measures of all probes."""

    nodes: Float64[np.ndarray, "probe node"]
    weights: Float64[np.ndarray, "probe node"]

    def together(self) -> tuple[np.ndarray, np.ndarray]:
        """Their mean, as one measure."""
        return self.nodes.ravel(), self.weights.ravel() / len(self.nodes)


def _epsilon(epsilon, at_batches) -> tuple[float, str]:
    if epsilon != "deviation":
        if isinstance(epsilon, (str, bool)) or not 0 < epsilon < math.inf:
            raise ValueError(f'{epsilon=} must be a positive loss, or "deviation"')
        return float(epsilon), "given"
    compared = at_batches.num_compared
    if compared < 2 or at_batches.deviation == 0:
        raise ValueError(
            f'epsilon="deviation" needs batches whose losses differ, not {compared} of equal size '
            f"with deviation {at_batches.deviation:g}; pass more batches, or a number"
        )
    return at_batches.deviation, f"deviation over {compared} batches"


def _operator(loss, params, batches, leaves, negative, keep, mesh) -> Operator:
    placed = {"leaves": leaves, "keep": keep, "mesh": mesh}
    if negative != "gauss_newton":
        return curvature.hessian(loss, params, batches, **placed)
    if not isinstance(loss, curvature.SplitLoss):
        raise ValueError(
            'negative="gauss_newton" needs the outputs of the network: pass the loss as '
            "SplitLoss(outputs, loss_of_outputs)"
        )
    return curvature.gauss_newton(loss.outputs, loss.of_outputs, params, batches, **placed)


def _half_width(values: np.ndarray) -> float:
    """Of a 95 % interval of the mean over probes, by Student's law."""
    from scipy import special  # on first use: importing the package stays light

    quantile = special.stdtrit(len(values) - 1, 0.975)
    return float(quantile * np.std(values, ddof=1) / len(values) ** 0.5)
