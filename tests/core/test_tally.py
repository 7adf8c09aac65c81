"""Counts add up, and impossible ones are refused."""

import itertools

import pytest

from lottery_jax.core import Tally

TALLIES = [Tally(10, (3, 7), (0, 1)), Tally(2**40, (2**39, 0), (5, 2**39)), Tally.zero(2)]


def test_any_order_of_merging_gives_the_same():
    totals = {a.merge(b).merge(c) for a, b, c in itertools.permutations(TALLIES)}
    totals |= {a.merge(b.merge(c)) for a, b, c in itertools.permutations(TALLIES)}
    assert totals == {Tally(10 + 2**40, (3 + 2**39, 7), (5, 1 + 2**39))}


@pytest.mark.parametrize(
    ("trials", "hits", "undecided"),
    [(3, (2,), (2,)), (3, (-1,), (0,)), (3, (0,), (-1,)), (-1, (0,), (0,)), (3, (1, 1), (0,))],
)
def test_impossible_counts_are_refused(trials, hits, undecided):
    with pytest.raises(ValueError, match="hits"):
        Tally(trials, hits, undecided)


def test_different_grids_do_not_merge():
    with pytest.raises(ValueError, match="2 and 1 epsilons"):
        Tally.zero(2).merge(Tally.zero(1))
