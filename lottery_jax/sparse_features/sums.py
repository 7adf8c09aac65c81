"""Gradients of all neurons at shifted basis vectors, as sums over rows that come in any batches.

PruneNetwork looks at a network of ReLU neurons before training, at the weights w_i = c e_i +
sqrt(1 - c^2) e_d for every input i, where e_d belongs to an appended input of noise, and at e_d. Of
the gradient for neuron j it takes two parts, by the derivatives of the even and the odd part of the
activation with bias b,

    even  [f(t + b) - f(-t + b)] / 2,    odd  [f(t + b) + f(-t + b)] / 2,    f(u) = 1(u > 0),

at t = <w_i, x>. (The appendix calls them + and -; the derivative of the even part is odd.) For both
signs of b the first is sign(t) 1(|t| > |b|) / 2. The second is (1 + 1(|t| < b)) / 2 for b > 0 and
1(|t| > |b|) / 2 for b <= 0. So a row x with target y adds y x to every neuron with |b| < |t|, and
all neurons follow from cumulative sums over bins: those of t > 0 and of t < 0 between neighbouring
|b|. For each weight a row is added to one bin, whatever the number of neurons, where products of
matrices would take four multiplications and additions for each neuron.

Where |t| = |b| exactly, f(0) = 0 decides, as jax has it for ReLU: both parts are those of |t| > |b|
for b > 0, and 0 for b <= 0. The bins keep to this exactly: a positive bias is replaced by the next
float32 below it.

The same rows give the same sums, to the last bit, on a CPU. On an accelerator they may not: rows
of one bin are added there in no fixed order. What is drawn from a key does not depend on it.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from lottery_jax.core import keys
from lottery_jax.sparse_features import checks, data
from lottery_jax.sparse_features.largest import largest_sum

_BIASES, _NOISE = 0, 1  # streams of a key
# Squares of sums over targets within 2^-20 and 2^20 are within what float32 can hold.
_FAR = 20


class Sums(NamedTuple):
    """What the rows so far have added up to."""

    bins: Float[Array, "bin coordinate"]  # of each weight in turn, t > 0 first; then coordinates
    num_rows: Int32[Array, ""]
    largest: Float[Array, ""]  # absolute target
    biases: Float[Array, " neuron"]
    weights: Int32[Array, " weight"]  # numbers i; i = d is e_d itself
    shift: Float[Array, ""]  # c
    noise: Key[Array, ""]  # of the appended input: row i takes key number i


class Parts(NamedTuple):
    """What the gradients at some weights say."""

    even: Float[Array, " weight"]  # sum over neurons of the squares of the largest entries
    odd: Float[Array, " weight"]
    last_even: Float[Array, " coordinate"]  # absolute entries at the last weight, one neuron alone
    last_odd: Float[Array, " coordinate"]


def draw_biases(key: Key[Array, ""], num_pairs: int) -> Float[Array, " neuron"]:
    """Standard normal biases; the first do not depend on how many there are.

    Examples
    --------
    >>> more = draw_biases(keys.root(0), 5)
    >>> bool(jnp.all(draw_biases(keys.root(0), 3) == more[:3]))
    True
    """
    each = keys.items(jax.random.fold_in(key, _BIASES), num_pairs)
    return jax.vmap(lambda item: jax.random.normal(item, (), jnp.float32))(each)


def start(
    key: Key[Array, ""],
    weights: Int32[Array, " weight"],
    *,
    dim: int,
    biases: Float[Array, " neuron"],
    shift: float | Float[Array, ""],
) -> Sums:
    """Sums over no rows yet.

    Parameters
    ----------
    key
        For the appended input.
    weights
        The numbers i of the basis vectors, 0 to d; any part of them, where not all sums fit.
    dim
        d, the inputs of a row.
    biases
        One for each neuron; see `draw_biases`. Mirrored neurons have the same gradient but for its
        sign, so one of each pair is enough.
    shift
        c, above 0 and at most 1.

    Raises
    ------
    ValueError
        Without any bias, or for a c that is known and outside its range.

    Examples
    --------
    >>> key = keys.root(0)
    >>> sums = start(key, jnp.arange(4), dim=3, biases=draw_biases(key, 8), shift=0.5)
    >>> sums.bins.shape  # 4 weights with 2 (8 + 1) bins each
    (72, 4)
    >>> sums = update(sums, jnp.ones((5, 3)), jnp.arange(5.0))
    >>> finish(sums, jnp.int32(2)).even.shape
    (4,)
    """
    checks.check_pairs(len(biases))
    checks.check_shift(shift, has_one=True)
    num_bins = 2 * (len(biases) + 1)
    return Sums(
        bins=jnp.zeros((len(weights) * num_bins, dim + 1), jnp.float32),
        num_rows=jnp.int32(0),
        largest=jnp.float32(0),
        biases=biases,
        weights=weights.astype(jnp.int32),
        shift=jnp.asarray(shift, jnp.float32),
        noise=jax.random.fold_in(key, _NOISE),
    )


def update(
    sums: Sums,
    inputs: Float[Array, "row input"],
    targets: Float[Array, " row"],
    is_used: Bool[Array, " row"] | None = None,
) -> Sums:
    """`sums` with the next rows added.

    Parameters
    ----------
    inputs, targets
        Of rows that follow those added before: the noise of a row depends on its number.
    is_used
        Which rows count, one run of them; all by default. Others must be finite.

    Raises
    ------
    ValueError
        For rows of another length, or targets of another number; outside compiled code also for
        entries that are not finite.

    Notes
    -----
    Each row costs d + 1 additions for each weight, made in place: the caller's sums are used up.
    What bounds the speed is the cache, through which go every row and its bin for every weight, and
    all bins of all weights once for each call: many rows at a time, up to what the cache holds,
    cost less than few.
    """
    if inputs.shape[1] + 1 != sums.bins.shape[1] or targets.shape != inputs.shape[:1]:
        raise ValueError(
            f"inputs of shape {inputs.shape} and targets of shape {targets.shape}, but the sums "
            f"are of {sums.bins.shape[1] - 1} inputs"
        )
    checks.check_rows(inputs, targets)
    used = jnp.ones(len(inputs), bool) if is_used is None else is_used
    bins = _add(sums.bins, sums._replace(bins=None), inputs, targets, used)
    largest = jnp.max(jnp.where(used, jnp.abs(targets), jnp.float32(0)), initial=0)
    return sums._replace(
        bins=bins,
        num_rows=sums.num_rows + jnp.sum(used, dtype=jnp.int32),
        largest=jnp.maximum(sums.largest, largest),
    )


@functools.partial(jax.jit, donate_argnums=0)
def _add(bins, sums, inputs, targets, used):
    """The bins with a block of rows in them."""
    rows, dim = inputs.shape
    number = sums.num_rows - jnp.argmax(used).astype(jnp.int32)  # of the block's first row
    noise = _noise(sums.noise, number, rows)
    extended = jnp.concatenate([inputs, noise[:, None]], axis=1)
    columns = extended.T
    steps = jnp.where(used, targets, jnp.float32(0))[:, None] * extended
    levels = jnp.sort(_levels(sums.biases))
    own, other = _mixture(sums.weights, dim, sums.shift)
    num_bins = bins.shape[0] // len(sums.weights)

    def add(weight, bins):
        projections = own[weight] * columns[sums.weights[weight]] + other[weight] * noise
        return bins.at[weight * num_bins + _bins_of(projections, levels)].add(steps)

    return jax.lax.fori_loop(0, len(sums.weights), add, bins)


@jax.jit
def finish(sums: Sums, kept: Int32[Array, ""]) -> Parts:
    """The squared norms of the truncated gradients at every weight, and the last one's entries.

    Parameters
    ----------
    kept
        M: of every gradient of a neuron the M largest entries count.

    Notes
    -----
    All are nan before the first row. Where the largest target is below 2^-20 or above 2^20, the
    gradients are those of the targets times a power of two, the same for all weights: else their
    squares might leave the range of float32, and no input could be told from another. The entries
    at the last weight are those of the first neuron with a bias of at least 0, or of the one with
    the largest bias where all are negative.
    """
    order, is_positive = _order(sums.biases)
    scale = _scale(sums.largest)
    has_none = jnp.all(sums.biases < 0)
    chosen = jnp.where(has_none, jnp.argmax(sums.biases), jnp.argmax(sums.biases >= 0))
    each = sums.bins.reshape(len(sums.weights), 2, len(sums.biases) + 1, -1)

    def parts(bins: Float[Array, "sign bin coordinate"]) -> Float[Array, "neuron part coordinate"]:
        return scale * _gradients(bins, is_positive) / sums.num_rows.astype(jnp.float32)

    def score(bins: Float[Array, "sign bin coordinate"]) -> Float[Array, " part"]:
        return jnp.sum(largest_sum(jnp.moveaxis(parts(bins) ** 2, -1, 0), kept), axis=0)

    squares = jax.lax.map(score, each)
    last = jnp.abs(parts(each[-1]))[jnp.argmax(order == chosen)]
    return Parts(squares[:, 0], squares[:, 1], last[0], last[1])


def _order(
    biases: Float[Array, " neuron"],
) -> tuple[Int32[Array, " neuron"], Bool[Array, " neuron"]]:
    """Neurons by their levels, and which of them, in that order, have a positive bias."""
    order = jnp.argsort(_levels(biases)).astype(jnp.int32)
    return order, biases[order] > 0


def _levels(biases: Float[Array, " neuron"]) -> Float[Array, " neuron"]:
    """A row counts for a neuron if |t| is above its level: |b|, or just below it for b > 0."""
    return jnp.where(biases > 0, jnp.nextafter(biases, jnp.float32(0)), -biases)


def _bins_of(
    projections: Float[Array, " row"], levels: Float[Array, " neuron"]
) -> Int32[Array, " row"]:
    """How many levels are below |t|, and for t < 0 the same beyond all bins of t > 0."""
    below = jnp.searchsorted(levels, jnp.abs(projections), method="scan_unrolled")
    is_negative = (projections < 0).astype(jnp.int32)
    return below.astype(jnp.int32) + is_negative * jnp.int32(len(levels) + 1)


def _gradients(
    bins: Float[Array, "sign bin coordinate"], is_positive: Bool[Array, " neuron"]
) -> Float[Array, "neuron part coordinate"]:
    """Sums of y x f' for the even and the odd part, neurons by their levels."""

    def add(
        above: Float[Array, "sign coordinate"], bins: Float[Array, "sign coordinate"]
    ) -> tuple[Float[Array, "sign coordinate"], Float[Array, "sign coordinate"]]:
        return above + bins, above + bins

    by_bin = jnp.swapaxes(bins, 0, 1)
    none = jnp.zeros(by_bin.shape[1:], jnp.float32)
    # A loop over the bins, which on CPU is far cheaper than cumsum.
    outermost, above = jax.lax.scan(add, none, by_bin[1:], reverse=True)
    total = jnp.sum(outermost + by_bin[0], axis=0)
    outside = (above[:, 0] + above[:, 1]) * jnp.float32(0.5)
    even = (above[:, 0] - above[:, 1]) * jnp.float32(0.5)
    odd = jnp.where(is_positive[:, None], total[None] - outside, outside)
    return jnp.stack([even, odd], axis=1)


def _mixture(
    weights: Int32[Array, " weight"], dim: int, shift: Float[Array, ""]
) -> tuple[Float[Array, " weight"], Float[Array, " weight"]]:
    """The entries of every w_i: at i itself, and at d besides; 1 and 0 for i = d."""
    is_noise = weights == dim
    other = jnp.sqrt((1 - shift) * (1 + shift))
    one, zero = jnp.float32(1), jnp.float32(0)
    return jnp.where(is_noise, one, shift), jnp.where(is_noise, zero, other)


def _noise(key: Key[Array, ""], first: Int32[Array, ""], rows: int) -> Float[Array, " row"]:
    """The appended input of rows first, first + 1, ..."""
    each = data.row_keys(key, first, rows)
    return jax.vmap(lambda row: jax.random.normal(row, (), jnp.float32))(each)


def _scale(largest: Float[Array, ""]) -> Float[Array, ""]:
    """1, or the power of two that brings sums to targets whose largest is far from 1."""
    exponent = jnp.frexp(largest)[1]
    is_far = (largest > 0) & (jnp.abs(exponent) > _FAR)
    # As the bits of a float32; powers of two change no digit of a number.
    power = jnp.where(is_far, jnp.clip(-exponent, -126, 126), 0)
    return jax.lax.bitcast_convert_type((power + 127) << 23, jnp.float32)
