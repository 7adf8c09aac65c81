"""What an experiment says of a step of the proof."""

from typing import Literal, NamedTuple

Judgement = Literal["holds", "holds with other constants", "fails", "undecided"]


class Verdict(NamedTuple):
    """One line of the table of `lottery-jax proof`."""

    lemma: str
    claim: str  # what the paper states, in a few words
    measured: str  # with limits
    verdict: Judgement  # by the limits, never by point estimates
    command: str  # reproduces it


def judge_never(low: float, high: float) -> Judgement:
    """What is claimed never to happen, by the limits of its probability.

    It fails when seen for certain; it holds when it happens at most once in a thousand times.
    """
    return "fails" if low > 0 else "holds" if high < 1e-3 else "undecided"


def limits_text(low: float, high: float) -> str:
    """Limits as a verdict prints them."""
    return f"[{low:.4g}, {high:.4g}]"
