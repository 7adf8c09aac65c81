"""What `predict` found: limits by form, their curves, and what global pruning takes by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from lottery_jax.core.leaves import Leaves
from lottery_jax.pruning_limit.magnitude import num_removed, removed_by_layer
from lottery_jax.report.tables import format_table
from lottery_jax.spectrum.quadrature import Spectrum

# What each form predicts, in the order in which they are told.
FORMS: Mapping[str, str] = {
    "paper": "closed form of the paper",
    "generic": "the same, sharpened; no special direction",
    "displacement": "the cone seen from the pruned network",
    "reoptimised": "kept weights optimised again",
    "one-shot": "quadratic model, kept weights fixed",
}


class FormLimit(NamedTuple):
    """The predicted limit of one form, as a fraction of the prunable weights removed."""

    form: str  # a name in FORMS
    limit: float
    low: float  # by the stated error of the curvature
    high: float
    window_low: float  # the transition itself is no sharper than this, and `low` and `high` beside
    window_high: float

    @property
    def kept(self) -> float:
        """The other convention: the fraction of the prunable weights that stays."""
        return 1 - self.limit


class FormCurve(NamedTuple):
    """delta / D at the fractions removed where a form was evaluated, and its stated error."""

    sparsities: Float64[np.ndarray, " point"]
    values: Float64[np.ndarray, " point"]
    errors: Float64[np.ndarray, " point"]


class LayerRow(NamedTuple):
    """What global magnitude pruning takes from one layer."""

    path: str
    shape: tuple[int, ...]
    size: int
    removed: int
    sparsity: float


@dataclass(frozen=True)
class PruningLimit:
    """How far a network can be pruned, predicted from the curvature of its loss.

    `limits` holds a `FormLimit` by name. Printing gives a table; `plot` draws the curves; `layers`
    says what a sparsity takes from each layer.
    """

    epsilon: float  # loss allowed above that at the given parameters
    epsilon_from: str  # where it comes from
    loss: float  # at the given parameters, the mean over all examples
    negative: str  # what negative eigenvalues count as
    limits: Mapping[str, FormLimit]
    curves: Mapping[str, FormCurve]
    gradient_change: float  # loss that the gradient alone adds at one of the limits
    gradient_at: str  # that of this form: "displacement", or the first one predicted
    window: float  # half width of the transition, a fraction of D
    failure: float  # probability outside of the window
    num_products: int  # curvature times a vector, all together
    spectrum: Spectrum
    leaves: Leaves
    weights: Float32[np.ndarray, " size"]

    @property
    def size(self) -> int:
        """D, the number of prunable weights."""
        return self.leaves.size

    def layers(self, sparsity: float) -> list[LayerRow]:
        """What global magnitude pruning takes from each layer."""
        removed = removed_by_layer(
            self.weights, self.leaves.bounds, num_removed(sparsity, self.size)
        )
        sizes = [stop - start for start, stop in self.leaves.bounds]
        return [
            LayerRow(path, shape, size, count, count / size)
            for path, shape, size, count in zip(
                self.leaves.paths, self.leaves.shapes, sizes, removed, strict=True
            )
        ]

    def to_rows(self) -> list[FormLimit]:
        """The limits in the order of FORMS."""
        return [self.limits[form] for form in FORMS if form in self.limits]

    def plot(self, ax=None):
        """The forms against the fraction removed, and where each meets it."""
        from lottery_jax.report import limit_figures  # on first use: it imports matplotlib

        return limit_figures.limit_curves(ax, self)

    def __str__(self) -> str:
        return "\n".join([*self.summary(), "", self._table(), "", *self._notes()])

    def summary(self) -> Sequence[str]:
        """Two lines: the network and epsilon, and its curvature."""
        spectrum = self.spectrum
        return [
            f"{self.size} prunable weights; loss {self.loss:.4g}, epsilon {self.epsilon:.3g} "
            f"({self.epsilon_from})",
            f"curvature: eigenvalues {spectrum.smallest:.3g} to {spectrum.largest:.3g}, "
            f'{spectrum.null_share:.1%} of them zero, negative ones "{self.negative}"; '
            f"{self.num_products} products",
        ]

    def _table(self) -> str:
        header = ["form", "removed", "low", "high", "window", "kept", "what it is"]
        cells = [
            [
                row.form,
                f"{row.limit:.4f}",
                f"{row.low:.4f}",
                f"{row.high:.4f}",
                f"{row.window_low:.4f}-{row.window_high:.4f}",
                f"{row.kept:.4f}",
                FORMS[row.form],
            ]
            for row in self.to_rows()
        ]
        return format_table(header, cells)

    def _notes(self) -> Sequence[str]:
        share = self.gradient_change / self.epsilon
        return [
            "low, high: by the error of the curvature (probes and steps). window: these and the",
            f"width of the transition, {self.window:.4f} on either side, missed with probability",
            f"{self.failure:g} at most. All but one-shot leave the gradient out: at the limit by",
            f"{self.gradient_at} it changes the loss by {share:.2g} epsilon to first order.",
        ]
