"""Figures of the pruning limit: forms and their crossings, a pruned network, many networks."""

from typing import TYPE_CHECKING

import numpy as np

from lottery_jax.report.figures import COLOURS, MARKERS, axis_of, new_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def limit_curves(ax: "Axes | None", limit) -> "Axes":
    """The forms of the predicted pruning limit against the fraction removed, which they cross.

    Parameters
    ----------
    ax
        Where to draw; None makes a new figure.
    limit
        `lottery_jax.pruning_limit.PruningLimit`.
    """
    ax = axis_of(ax)
    ax.plot([0, 1], [0, 1], ":", color="black", label="fraction removed")
    for number, (form, curve) in enumerate(limit.curves.items()):
        colour, marker = COLOURS[number], MARKERS[number]
        low, high = curve.values - curve.errors, curve.values + curve.errors
        is_dense = len(curve.sparsities) > 50
        ax.fill_between(curve.sparsities, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(
            curve.sparsities,
            curve.values,
            color=colour,
            marker=None if is_dense else marker,
            ms=4,
            label=f"{form}: {limit.limits[form].limit:.3f}",
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("fraction of the prunable weights removed")
    ax.set_ylabel("δ / D")
    ax.set_title("bands: error of the curvature", fontsize="small")
    ax.legend(fontsize="small", frameon=False)
    return ax


def pruned_network(sweep, limits, *, title: str = "") -> "Axes":
    """Loss and accuracy of a pruned network against the fraction removed, beside its limits.

    Parameters
    ----------
    sweep
        Rows with `sparsity`, `train_loss`, `test_loss`, `test_accuracy`, in order.
    limits
        Rows with `how` ("predicted" or "measured"), `name`, `removed`, `low`, `high`,
        `window_low`, `window_high`.
    title
        Above the figure.

    Returns
    -------
    The axis of the loss, above that of the accuracy and that of the limits.
    """
    figure = new_axis(8.0, 8.0).figure
    figure.clear()
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 0.35 * len(limits) + 1])  # type: ignore[union-attr]
    x = [row.sparsity for row in sweep]
    axes[0].plot(x, [row.train_loss for row in sweep], color=COLOURS[6], label="training images")
    axes[0].plot(
        x, [row.test_loss for row in sweep], "--", color=COLOURS[7], label="held-out images"
    )
    axes[0].set_yscale("log")
    axes[0].set_ylabel("loss right after pruning")
    axes[0].legend(fontsize="small", frameon=False, loc="upper left")
    axes[1].plot(x, [row.test_accuracy for row in sweep], color=COLOURS[6])
    axes[1].set_ylabel("held-out accuracy")
    predicted = [row for row in limits if row.how == "predicted"]
    for number, row in enumerate(predicted):
        colour = COLOURS[number % 6]
        for ax in axes[:2]:
            ax.axvspan(row.window_low, row.window_high, color=colour, alpha=0.1, linewidth=0)
            ax.axvline(row.removed, color=colour, linewidth=1)
    places = range(len(limits), 0, -1)
    for place, (number, row) in zip(places, enumerate(limits), strict=True):
        is_predicted = row.how == "predicted"
        colour = COLOURS[number % 6] if is_predicted else COLOURS[6]
        if is_predicted:
            axes[2].plot(
                [row.window_low, row.window_high], [place] * 2, color=colour, alpha=0.25, lw=7
            )
        ends = [[max(row.removed - row.low, 0)], [max(row.high - row.removed, 0)]]
        marker = "o" if is_predicted else "D"
        axes[2].errorbar(row.removed, place, xerr=ends, fmt=marker, ms=4, capsize=2, color=colour)
    axes[2].set_yticks(list(places), [f"{row.how}: {row.name}" for row in limits], fontsize="small")
    axes[2].set_ylim(0.3, len(limits) + 0.7)
    axes[2].set_xlim(0, 1)
    axes[2].set_xlabel("fraction of the prunable weights removed")
    for ax in axes:
        ax.grid(True, alpha=0.3)
    figure.suptitle(title, fontsize="medium")  # type: ignore[union-attr]
    return axes[0]


def limit_panels(pairs) -> "Axes":
    """Predicted against measured limits, a panel for each way to measure; returns the first axis.

    Parameters
    ----------
    pairs
        (form, rule) -> pairs of a predicted and a measured row, each with `removed`, `low`, `high`.
    """
    rules = list(dict.fromkeys(rule for _, rule in pairs))
    columns = min(len(rules), 4)
    lines = -(-len(rules) // columns)
    figure = new_axis(3.0 * columns + 1, 3.4 * lines + 0.5).figure
    figure.clear()
    axes = np.ravel(figure.subplots(lines, columns, sharex=True, sharey=True))  # type: ignore[union-attr]
    for ax in axes[len(rules) :]:
        ax.set_axis_off()
    for ax, rule in zip(axes, rules, strict=False):
        for number, form in enumerate(dict.fromkeys(form for form, _ in pairs)):
            rows = pairs[form, rule]
            x, y = ([row[side].removed for row in rows] for side in (1, 0))
            across, up = (
                [
                    [max(row[side].removed - row[side].low, 0) for row in rows],
                    [max(row[side].high - row[side].removed, 0) for row in rows],
                ]
                for side in (1, 0)
            )
            style = {"color": COLOURS[number], "fmt": MARKERS[number], "ms": 4, "elinewidth": 0.6}
            ax.errorbar(x, y, yerr=up, xerr=across, label=form, **style)
        ax.plot([0, 1], [0, 1], ":", color="black")
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_title(rule.replace(", ", ",\n"), fontsize="small")
        ax.grid(True, alpha=0.3)
    figure.supxlabel("measured fraction removed", fontsize="medium")  # type: ignore[union-attr]
    figure.supylabel("predicted fraction removed", fontsize="medium")  # type: ignore[union-attr]
    axes[0].legend(fontsize="x-small", frameon=False, loc="lower right")
    return axes[0]
