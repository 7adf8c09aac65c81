"""Counts of a Monte Carlo run, as Python integers: they add without overflow and in any order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """How many of the same `trials` draws succeeded at each ε, and how many rounding left
    undecided.

    Raises
    ------
    ValueError
        For counts that no run can give.

    Examples
    --------
    >>> Tally(10, hits=(3, 7), undecided=(0, 1)).merge(Tally(5, hits=(1, 2), undecided=(0, 0)))
    Tally(trials=15, hits=(4, 9), undecided=(0, 1))
    """

    trials: int
    hits: tuple[int, ...]
    undecided: tuple[int, ...]

    def __post_init__(self):
        if len(self.hits) != len(self.undecided):
            raise ValueError(f"{self.hits=} and {self.undecided=} must have one count per epsilon")
        for hits, undecided in zip(self.hits, self.undecided, strict=True):
            if min(hits, undecided) < 0 or hits + undecided > self.trials:
                raise ValueError(f"{hits=} with {undecided=} cannot come from {self.trials} trials")

    @classmethod
    def zero(cls, num_epsilons: int) -> Tally:
        """No draws yet; the neutral element of `merge`.

        Examples
        --------
        >>> Tally.zero(2)
        Tally(trials=0, hits=(0, 0), undecided=(0, 0))
        """
        return cls(0, (0,) * num_epsilons, (0,) * num_epsilons)

    def merge(self, other: Tally) -> Tally:
        """Counts of both runs together; commutative and associative.

        Raises
        ------
        ValueError
            When the two count over different numbers of ε.

        Examples
        --------
        >>> Tally.zero(1).merge(Tally(4, (2,), (1,)))
        Tally(trials=4, hits=(2,), undecided=(1,))
        """
        if len(self.hits) != len(other.hits):
            raise ValueError(
                f"{len(self.hits)} and {len(other.hits)} epsilons cannot be merged; use one grid"
            )
        return Tally(
            self.trials + other.trials,
            tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)),
            tuple(a + b for a, b in zip(self.undecided, other.undecided, strict=True)),
        )
