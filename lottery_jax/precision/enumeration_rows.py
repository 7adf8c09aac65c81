"""What is known of one size of a problem whose instances were all counted."""

import math
from typing import NamedTuple

PARTITION, SUBSET_SUM = "partition", "subset sum"


class Row(NamedTuple):
    """One (n, M), and one target where there is one."""

    problem: str  # "partition" or "subset sum"
    num_items: int  # n
    largest: int  # M: items are 1..M, or -M..M without 0
    target: int | None  # the sum wanted; None for partitions
    instances: int  # M^n or (2M)^n
    by_multisets: int  # solvable ones, counted with the engine and with symmetry
    by_all_instances: int  # and without either
    law: float  # of the probability, to six decimals

    @property
    def probability(self) -> float:
        """The exact chance that an instance is solvable."""
        return self.by_multisets / self.instances

    @property
    def kappa(self) -> float:
        """log2(M) / n."""
        return math.log2(self.largest) / self.num_items

    @property
    def error(self) -> float:
        """How far the chance lies from its law, in units of 1/n."""
        return self.num_items * (self.probability - self.law)
