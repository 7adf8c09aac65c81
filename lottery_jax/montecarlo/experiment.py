"""What is simulated: one draw, the settings that fix its law, and the identity it is stored by."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Int32, PRNGKeyArray, Shaped

from lottery_jax.core import keys

Setting = int | float | str
Epsilons = Sequence[float] | Shaped[np.ndarray, "..."] | Shaped[Array, "..."]
Kind = Literal["success", "first_width", "pilot", "counts"]


class Trial(NamedTuple):
    """The outcome of one draw at every ε of the grid."""

    hits: Bool[Array, " eps"]  # certainly a success
    undecided: Bool[Array, " eps"]  # rounding cannot tell; never True together with hits


class FirstWidth(NamedTuple):
    """How many of the first neurons of one draw are needed; width + 1 where all are too few."""

    certain: Int32[Array, ""]  # the smallest width at which success is certain
    possible: Int32[Array, ""]  # the smallest at which it cannot be excluded; <= certain


@dataclass(frozen=True)
class Experiment:
    """A law of draws and the decision made on each of them.

    Raises
    ------
    ValueError
        For settings or parameters that cannot be stored or traced, or sizes below 1.

    Examples
    --------
    One uniform number per draw, a success if it lies below ε:

    >>> import jax, jax.numpy as jnp
    >>> def trial(key, epsilons, parameters):
    ...     hits = jax.random.uniform(key, (), jnp.float32)[None] < epsilons
    ...     return Trial(hits, jnp.zeros_like(hits))
    >>> Experiment("below", settings=(("dim", 1),), trial=trial, lanes=100).bound
    'exact'
    """

    name: str
    # Everything that changes the law of a draw: dim, width, radius, max_kept, output, ...
    settings: tuple[tuple[str, Setting], ...]
    # (key, float32 epsilons[eps], parameters) -> Trial of one draw; pure, compiled. Experiments of
    # one family share the function object, so that a sweep compiles once.
    trial: Callable[..., Trial] | None = None
    # (key, float32 epsilon, parameters) -> FirstWidth of one draw of the full width.
    first_width: Callable[..., FirstWidth] | None = None
    # (key, parameters) -> named int32 arrays of one draw, of any shapes, to be summed over draws.
    count: Callable[..., dict[str, Int32[Array, "..."]]] | None = None
    # Numbers handed to these functions as a dict of int32 and float32 scalars; they must follow
    # from the settings.
    parameters: tuple[tuple[str, int | float], ...] = ()
    lanes: int = 1024  # draws per chunk; part of the identity
    # How the counted successes relate to the true ones: a search that may miss solutions counts a
    # "lower" bound.
    bound: str = "exact"  # or "lower" or "upper"
    at_width: Callable[[int], "Experiment"] | None = None  # the same experiment with another width
    max_width: int | None = None  # largest width that at_width accepts
    # Draws decided together on one device, by platform: side by side on an accelerator, one by one
    # on a CPU.
    vmap_lanes: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"cpu": 1, "gpu": 256, "tpu": 256})
    )
    seconds_per_draw: Callable[[], float] | None = None  # rough estimates, for planning only
    bytes_per_draw: Callable[[], float] | None = None

    def __post_init__(self):
        for label, pairs in (("settings", self.settings), ("parameters", self.parameters)):
            if len(dict(pairs)) != len(pairs):
                raise ValueError(f"{label}={pairs} names something twice")
            for name, value in pairs:
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(f"{label} {name}={value} must be finite")
        for name, value in self.parameters:
            if not isinstance(value, float) and not -(2**31) <= value < 2**31:
                raise ValueError(f"parameter {name}={value} does not fit int32; pass it as a float")
        if self.lanes < 1:
            raise ValueError(f"{self.lanes=} must be at least 1")
        if self.max_width is not None and self.max_width < 1:
            raise ValueError(f"{self.max_width=} must be at least 1")
        if self.bound not in ("exact", "lower", "upper"):
            raise ValueError(f"{self.bound=} must be 'exact', 'lower' or 'upper'")

    @property
    def width(self) -> int:
        """The setting "width".

        Raises
        ------
        ValueError
            For an experiment without it.
        """
        settings = dict(self.settings)
        if "width" not in settings:
            raise ValueError(f"{self.name} has no setting 'width' among {', '.join(settings)}")
        return int(settings["width"])

    def scalars(self) -> dict[str, np.int32 | np.float32]:
        """The parameters as the compiled functions get them."""
        return {
            name: np.float32(value) if isinstance(value, float) else np.int32(value)
            for name, value in self.parameters
        }


def check_epsilons(epsilons: Epsilons) -> tuple[float, ...]:
    """The grid of ε as the shortest decimals that name the float32 numbers compared on the device.

    So 0.1 and ``float32(0.1)`` are one ε with one identity.

    Raises
    ------
    ValueError
        Unless the grid is one-dimensional, not empty, finite, positive and distinct in float32.

    Examples
    --------
    >>> check_epsilons(np.float32([0.1, 0.25]))
    (0.1, 0.25)
    """
    grid = np.asarray(epsilons, np.float64)
    if grid.ndim != 1 or grid.size == 0:
        raise ValueError(
            f"{epsilons=} must be a one-dimensional, non-empty grid, for example [0.1]"
        )
    if not np.all(np.isfinite(grid) & (grid >= np.finfo(np.float32).tiny) & (grid < 3e38)):
        raise ValueError(f"{epsilons=} must be finite and positive in float32")
    grid = grid.astype(np.float32)
    if len(np.unique(grid)) != grid.size:
        raise ValueError(f"{epsilons=} must be distinct in float32")
    return tuple(float(str(epsilon)) for epsilon in grid)


def identity(
    experiment: Experiment, *, epsilons: tuple[float, ...], key: PRNGKeyArray, kind: Kind
) -> str:
    """16 hexadecimal digits that name everything the counts depend on, and nothing else.

    Budgets (number of trials, devices, shards) are left out, so that a run can be resumed with more
    of them.

    Parameters
    ----------
    epsilons
        As returned by `check_epsilons`; empty for "counts".
    kind
        "success" (`Experiment.trial`), "first_width" or "pilot" (`Experiment.first_width`), or
        "counts" (`Experiment.count`); each has its own draws.

    Examples
    --------
    >>> below = Experiment("below", (("dim", 1),), trial=lambda *_: None, lanes=100)
    >>> identity(below, epsilons=(0.1,), key=keys.root(7), kind="success")
    'a4d35de65e39af8a'
    """
    described = {
        "name": experiment.name,
        "settings": dict(experiment.settings),
        "lanes": experiment.lanes,
        "epsilons": epsilons,
        "kind": kind,
        "stream": keys.STREAM_VERSION,
        "key": keys.describe(key),
    }
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
