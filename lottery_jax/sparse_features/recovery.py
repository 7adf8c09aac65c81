"""How much of the support PruneNetwork finds, counted draw by draw.

A draw is a target (directions V and the rows of data), the biases of the network, and the appended
noise. PruneNetwork is run on the first n rows for every n of an increasing grid, and for several
numbers M of entries kept, in one pass over the data: the points of one curve share their draws.
Counted are the inputs of the support that it keeps, the draws in which it keeps all of them, and
how many inputs it keeps at all, by which a random choice is judged: of |J| random inputs among d,
the expected share of the support is |J| / d.

The shares of one draw depend on each other, so limits for the mean recall come from the spread over
draws, and exact binomial limits only for complete recovery (`recovery_limits`).
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.montecarlo.experiment import Experiment
from lottery_jax.sparse_features import checks, data, directions
from lottery_jax.sparse_features.largest import largest
from lottery_jax.sparse_features.links import Link
from lottery_jax.sparse_features.scores import Scores, scores_at

NAME = "sparse_recovery"
MASS_UNIT = 4096  # ||V_J||_F^2 / r is counted in parts of this size
# Rows of V: of one length; i^-power; of a uniform V; single inputs, one for each variable.
LAWS = ("flat", "power_law", "dense", "coordinates")
BIASES = ("normal", "zero")
LINES = ("first", "even", "odd")  # lines 3, 4 and 5 of the algorithm
_DATA, _DIRECTIONS, _NETWORK = 0, 1, 2  # streams of a draw


def recovery(
    *,
    dim: int,
    support_size: int,
    link: Link,
    sizes: Sequence[int],
    kept: Sequence[int],
    num_pairs: int = 16,
    shift: float = 0.5,
    convention: str = "appendix",
    law: str = "flat",
    power: float = 0.0,
    noise: float = 0.0,
    inputs: str = "normal",
    biases: str = "normal",
    lanes: int = 2,
) -> Experiment:
    """Which inputs PruneNetwork keeps, for every number of rows and every M.

    Its counts (`montecarlo.collect_counts`) are sums over draws of arrays [size, M]: ``found``, the
    inputs of the support that are kept; ``found_squared``; ``complete``, 1 where all of them are;
    ``kept``, all inputs that are kept, without the appended one; ``first``, ``even`` and ``odd``,
    those of the support that lines 3, 4 and 5 find alone; ``even_squared``; ``mass`` and
    ``mass_squared``, the share of V that is kept, ||V_J||_F^2 / r, in parts of 1/4096.

    Parameters
    ----------
    dim, support_size
        d, and the s inputs on which the target depends.
    link
        Of r <= s hidden features.
    sizes
        Numbers of rows, increasing.
    kept
        Values of M, 1 to d.
    num_pairs
        m pairs of mirrored neurons.
    shift
        c, above 0; 1 is the unshifted basis.
    convention
        ``appendix``, or ``main_text`` for the printed sign, under which lines 3, 4 and 5 take the
        gradients of the other part of the activation.
    law, power
        Of the rows of V: ``flat``; ``power_law``, i^-power; ``dense``, uniform V (s = d); or
        ``coordinates``, single inputs (s = r).
    noise, inputs
        As in `data.Model`.
    biases
        ``normal``, or ``zero`` for a network without biases.
    lanes
        Draws of a chunk; one by one on a CPU, side by side over its devices.

    Raises
    ------
    ValueError
        For arguments outside these ranges.

    Examples
    --------
    >>> from lottery_jax.sparse_features import links
    >>> square = links.hermite({2: 1.0})
    >>> settings = recovery(dim=64, support_size=8, link=square, sizes=[64, 512], kept=[8]).settings
    >>> settings[:4]
    (('dim', 64), ('support_size', 8), ('link', 'h2'), ('terms', '(2,):1.0'))
    """
    sizes, kept = _checked(dim, support_size, sizes, kept)
    model = data.Model(link, noise, inputs)
    _check(dim, support_size, link, num_pairs, shift, convention, law, power, biases)
    settings = (
        ("dim", dim),
        ("support_size", support_size),
        ("link", link.name),
        ("terms", " ".join(f"{index}:{value!r}" for index, value in link.terms)),
        ("sizes", " ".join(map(str, sizes))),
        ("kept", " ".join(map(str, kept))),
        ("num_pairs", num_pairs),
        ("shift", float(shift)),
        ("convention", convention),
        ("law", law),
        ("power", float(power)),
        ("noise", float(noise)),
        ("inputs", inputs),
        ("biases", biases),
    )
    parameters = {"shift": float(shift)}
    parameters |= {f"size{i}": size for i, size in enumerate(sizes)}
    parameters |= {f"kept{i}": each for i, each in enumerate(kept)}
    parameters["is_main_text"] = int(convention == "main_text")
    draw = _Draw(dim, support_size, model, num_pairs, law, float(power), biases)
    additions = sizes[-1] * (dim + 1.0) ** 2
    passes = 140.0 * len(sizes) * len(kept) * num_pairs * (dim + 1) ** 2
    return Experiment(
        name=NAME,
        settings=settings,
        count=_count(draw, len(sizes), len(kept)),
        parameters=tuple(parameters.items()),
        lanes=lanes,
        vmap_lanes={"cpu": 1, "gpu": 1, "tpu": 1},
        seconds_per_draw=lambda: 0.01 + 4e-10 * additions + 4e-10 * passes,
        bytes_per_draw=lambda: min(2.0**29, 8.0 * (num_pairs + 1) * (dim + 1) ** 2),
    )


class _Draw(NamedTuple):
    """What is compiled in."""

    dim: int
    support_size: int
    model: data.Model
    num_pairs: int
    law: str
    power: float
    biases: str


@functools.cache
def _count(draw: _Draw, num_sizes: int, num_kept: int):
    def count(key: Key[Array, ""], parameters) -> dict[str, Int32[Array, "..."]]:
        sizes = jnp.stack([parameters[f"size{i}"] for i in range(num_sizes)])
        kept = jnp.stack([parameters[f"kept{i}"] for i in range(num_kept)])
        hidden = _directions(keys.lane(key, _DIRECTIONS), draw)
        source = data.generated(draw.model, hidden, keys.lane(key, _DATA))
        network = keys.lane(key, _NETWORK)
        zeros = None if draw.biases == "normal" else jnp.zeros(1, jnp.float32)
        scores = scores_at(
            source,
            sizes,
            network,
            num_pairs=draw.num_pairs if zeros is None else 1,  # without biases all are one
            kept=kept,
            shift=parameters["shift"],
            biases=zeros,
        )
        masses = jnp.sum(hidden**2, axis=1) / hidden.shape[1]

        def at_size(scores: Scores) -> dict[str, Int32[Array, "..."]]:
            return jax.vmap(functools.partial(_tally, parameters["is_main_text"], masses))(
                scores, kept
            )

        return jax.vmap(at_size)(scores)

    return count


def _directions(key: Key[Array, ""], draw: _Draw) -> Float[Array, "input index"]:
    num_indices = draw.model.link.num_indices
    if draw.law == "dense":
        return directions.dense(key, draw.dim, num_indices)
    if draw.law == "coordinates":
        places = jax.random.permutation(key, jnp.arange(draw.dim, dtype=jnp.int32))
        return jax.nn.one_hot(places[:num_indices], draw.dim, dtype=jnp.float32).T
    return directions.power_law(key, draw.dim, draw.support_size, draw.power, num_indices)


def _tally(
    is_main_text: Int32[Array, ""],
    masses: Float[Array, " input"],
    scores: Scores,
    kept: Int32[Array, ""],
) -> dict[str, Int32[Array, ""]]:
    """The counts of one draw at one number of rows and one M."""
    is_support = masses > 0
    lines = _lines(is_main_text, scores, kept)
    mask = lines["first"] | lines["even"] | lines["odd"]
    found = _number(mask & is_support)
    mass = jnp.round(MASS_UNIT * jnp.sum(jnp.where(mask, masses, jnp.zeros_like(masses))))
    mass = mass.astype(jnp.int32)
    counts = {name: _number(line & is_support) for name, line in lines.items()}
    return counts | {
        "found": found,
        "found_squared": found**2,
        "even_squared": counts["even"] ** 2,
        "complete": (found == _number(is_support)).astype(jnp.int32),
        "kept": _number(mask),
        "mass": mass,
        "mass_squared": mass**2,
    }


def _lines(
    is_main_text: Int32[Array, ""], scores: Scores, kept: Int32[Array, ""]
) -> dict[str, Bool[Array, " input"]]:
    """What lines 3, 4 and 5 keep, without the appended input."""
    as_meant = (scores.first, scores.even, scores.odd)
    as_printed = (scores.printed, scores.odd, scores.even)
    return {
        name: largest(jnp.where(is_main_text == 1, printed, meant), kept)[:-1]
        for name, meant, printed in zip(LINES, as_meant, as_printed, strict=True)
    }


def _number(mask: Bool[Array, " input"]) -> Int32[Array, ""]:
    return jnp.sum(mask, dtype=jnp.int32)


def _checked(dim, support_size, sizes, kept) -> tuple[tuple[int, ...], tuple[int, ...]]:
    for name, value in (("dim", dim), ("support_size", support_size)):
        checks.check_whole(name, value, 1)
    for size in sizes:
        checks.check_whole("sizes", size, 1)
    checks.check_all_kept(kept, dim)
    sizes, kept = tuple(map(int, sizes)), tuple(map(int, kept))
    if not sizes or any(b <= a for a, b in itertools.pairwise(sizes)):
        raise ValueError(f"{sizes=} must be increasing; give each number of rows once")
    return sizes, kept


def _check(dim, support_size, link, num_pairs, shift, convention, law, power, biases) -> None:
    checks.check_convention(convention)
    for name, value, known in (
        ("law", law, LAWS),
        ("biases", biases, BIASES),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} is unknown; choose {', '.join(known)}")
    least, most = link.num_indices, dim
    if law == "dense":
        least = dim
    if law == "coordinates":
        most = link.num_indices
    if not least <= support_size <= most:
        raise ValueError(
            f"{support_size=} must lie between {least} and {most} for {law} directions of "
            f"{link.num_indices} variables in {dim} inputs"
        )
    checks.check_pairs(num_pairs)
    if not 0 < shift <= 1:
        raise ValueError(f"{shift=} must be above 0 and at most 1, which is the unshifted basis")
    if not (math.isfinite(power) and power >= 0) or (power and law != "power_law"):
        raise ValueError(f"{power=} must be finite, at least 0, and 0 unless law='power_law'")
