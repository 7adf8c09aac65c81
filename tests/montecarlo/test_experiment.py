"""What makes two experiments the same, and settings that are refused."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import Experiment, identity
from lottery_jax.montecarlo.experiment import check_epsilons
from tests.montecarlo.toys import below, nested

BASE = {"epsilons": (0.1,), "key": root(0), "kind": "success"}


def test_the_identity_is_golden():
    # It changes only together with STREAM_VERSION: every stored row is found by it.
    assert identity(below(), **BASE) == "cb4c75bdddf47e8b"


def test_everything_that_changes_the_counts_changes_the_identity():
    identities = [
        identity(below(), **BASE),
        identity(below(lanes=101), **BASE),
        identity(below(scale=2.0), **BASE),
        identity(nested(4), **BASE),
        identity(below(), **BASE | {"epsilons": (0.1, 0.2)}),
        identity(below(), **BASE | {"key": root(1)}),
        identity(below(), **BASE | {"kind": "first_width"}),
    ]
    assert len(set(identities)) == len(identities)


def test_nothing_else_does():
    settings = (("scale", 1.0), ("band", 0.0))
    same = Experiment("below", settings=settings, lanes=100, bound="lower", vmap_lanes={"cpu": 8})
    assert identity(same, **BASE) == identity(below(), **BASE)


def test_an_epsilon_is_the_float32_that_is_compared():
    for grid in ([0.1, 0.3], np.float32([0.1, 0.3]), jnp.array([0.1, 0.3], jnp.float32)):
        assert check_epsilons(grid) == (0.1, 0.3)


@pytest.mark.parametrize(
    "grid",
    [[], [[0.1]], [0.0], [-0.1], [math.nan], [math.inf], [1e-50], [1e39], [0.1, 0.1 + 1e-12]],
)
def test_unsuitable_epsilons_are_refused(grid):
    with pytest.raises(ValueError, match="epsilons="):
        check_epsilons(np.array(grid))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"settings": (("dim", 1), ("dim", 2))}, "settings.*twice"),
        ({"settings": (("dim", math.nan),)}, "settings dim=nan must be finite"),
        ({"parameters": (("width", 2**31),)}, "width=2147483648 does not fit int32"),
        ({"lanes": 0}, "lanes=0"),
        ({"max_width": 0}, "max_width=0"),
        ({"bound": "upper "}, "bound='upper '"),
    ],
)
def test_unsuitable_settings_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        Experiment(**{"name": "toy", "settings": ()} | options)


def test_a_width_must_be_among_the_settings():
    assert nested(4).width == 4
    with pytest.raises(ValueError, match="below has no setting 'width' among band, scale"):
        _ = below().width
