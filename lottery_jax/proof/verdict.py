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
