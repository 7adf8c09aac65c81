"""One chunk of draws: one compiled program, one dispatch, its lanes shared out over a mesh.

The draws of a chunk depend on its address only. Lanes are padded to a multiple of the devices and
the padding is masked, so every mesh gives the same counts.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Int32, Int64, PRNGKeyArray

from lottery_jax.core import keys
from lottery_jax.core.tally import Tally
from lottery_jax.montecarlo.experiment import Experiment, FirstWidth, Trial


def run_success(
    experiment: Experiment,
    key: PRNGKeyArray,
    number: int,
    *,
    epsilons: tuple[float, ...],
    mesh: Mesh,
) -> tuple[Tally, float]:
    """Decide the draws of chunk `number` at every ε.

    Parameters
    ----------
    key
        The stream of the experiment (`keys.stream`).
    number
        0 <= number < 2**32.

    Returns
    -------
    tally, seconds
        Counts over ``experiment.lanes`` draws, and the time they took without compilation.

    Raises
    ------
    ValueError
        Unless the experiment's trial gives Bool[eps] arrays.

    Examples
    --------
    >>> from lottery_jax.core import make_mesh, root
    >>> def trial(key, epsilons, parameters):
    ...     hits = jax.random.uniform(key, (), jnp.float32)[None] < epsilons
    ...     return Trial(hits, jnp.zeros_like(hits))
    >>> below = Experiment("below", (), trial, lanes=100)
    >>> tally, seconds = run_success(below, root(7), 0, epsilons=(0.25, 0.5), mesh=make_mesh())
    >>> tally
    Tally(trials=100, hits=(17, 58), undecided=(0, 0))
    """
    grid = np.asarray(epsilons, np.float32)
    counts, seconds = _run(experiment, experiment.trial, _count, key, number, grid, mesh)
    return Tally(experiment.lanes, *(tuple(each.tolist()) for each in counts)), seconds


def run_first_width(
    experiment: Experiment, key: PRNGKeyArray, number: int, *, epsilon: float, mesh: Mesh
) -> tuple[Int32[np.ndarray, " lanes"], Int32[np.ndarray, " lanes"], float]:
    """Find the first width of every draw of chunk `number`.

    Parameters are those of `run_success`.

    Returns
    -------
    certain, possible, seconds
        The widths of `FirstWidth`, lane by lane, and the time they took without compilation.

    Raises
    ------
    ValueError
        Unless the experiment's first_width gives int32 scalars 0 <= possible <= certain <=
        width + 1.

    Examples
    --------
    >>> from lottery_jax.core import make_mesh, root
    >>> def first_width(key, epsilon, parameters):
    ...     width = jax.random.randint(key, (), 1, 10, jnp.int32)
    ...     return FirstWidth(certain=width, possible=width)
    >>> dice = Experiment("dice", (("width", 8),), first_width=first_width, lanes=8)
    >>> certain, _, seconds = run_first_width(dice, root(7), 0, epsilon=0.1, mesh=make_mesh())
    >>> certain
    array([3, 2, 7, 1, 2, 8, 1, 7], dtype=int32)
    """
    grid = np.float32(epsilon)
    widths, seconds = _run(experiment, experiment.first_width, _gather, key, number, grid, mesh)
    certain, possible = (each[: experiment.lanes] for each in widths)
    is_ordered = (possible >= 0) & (possible <= certain) & (certain <= experiment.width + 1)
    if not np.all(is_ordered):
        raise ValueError(
            f"{experiment.name}: first_width must give 0 <= possible <= certain <= width + 1"
        )
    return certain, possible, seconds


def run_counts(
    experiment: Experiment, key: PRNGKeyArray, number: int, *, mesh: Mesh
) -> tuple[dict[str, Int64[np.ndarray, "..."]], float]:
    """Sum the counts of the draws of chunk `number`.

    Parameters are those of `run_success`.

    Returns
    -------
    totals, seconds
        The sums over ``experiment.lanes`` draws by name, and the time they took without
        compilation.

    Raises
    ------
    ValueError
        Unless the experiment's count gives a dict of int32 arrays, and for sums over a chunk that
        may not fit int32.

    Notes
    -----
    A device keeps the arrays of all its draws before it sums them: lanes times their size in bytes,
    shared out over the mesh.

    Examples
    --------
    >>> from lottery_jax.core import make_mesh, root
    >>> sides = jnp.arange(1, 7, dtype=jnp.int32)
    >>> def count(key, parameters):
    ...     eyes = jax.random.randint(key, (), 1, 7, jnp.int32)
    ...     return {"eyes": eyes, "side": (eyes == sides).astype(jnp.int32)}
    >>> die = Experiment("die", (), count=count, lanes=600)
    >>> totals, seconds = run_counts(die, root(7), 0, mesh=make_mesh())
    >>> totals
    {'eyes': array(2105), 'side': array([ 93, 104, 102, 107,  94, 100])}
    """
    grid = np.zeros((), np.float32)  # counts know no epsilon
    (totals, sizes), seconds = _run(experiment, experiment.count, _total, key, number, grid, mesh)
    for name, size in sizes.items():
        # A sum that passes int32 on its way is wrong without a sign of it. The sum of the absolute
        # values in float32 bounds every partial sum, and is right to far better than a factor 2.
        if not np.all(size < 2**30):
            raise ValueError(
                f"{experiment.name}: the counts {name!r} of {experiment.lanes} draws may not fit "
                f"int32 (their absolute values sum to {size.max():.3g}); use fewer lanes, or count "
                "in a coarser unit"
            )
    return {name: np.asarray(each, np.int64) for name, each in totals.items()}, seconds


def _run(experiment, decide, reduce, key, number, epsilon, mesh):
    """Run one chunk, compiled on first use, and wait for it."""
    # Host data goes to every device of any mesh, whichever device the caller's key lives on.
    words = np.asarray(jax.random.key_data(key))
    arguments = (words, np.uint32(number), epsilon, experiment.scalars())
    leaves, structure = jax.tree.flatten(arguments)
    compiled = _compile(
        decide,
        reduce,
        experiment.lanes,
        experiment.vmap_lanes.get(mesh.devices.flat[0].platform, 1),
        mesh,
        str(jax.random.key_impl(key)),
        structure,
        tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves),
        jnp.result_type(float),
    )
    start = time.perf_counter()
    counts = jax.device_get(compiled(*arguments))
    return counts, time.perf_counter() - start


@functools.lru_cache(maxsize=128)
def _compile(decide, reduce, lanes, batch, mesh, impl, structure, leaves, real):
    """The program of a chunk, ahead of time: compiling is neither timed nor repeated in a sweep."""
    del real  # float32 or float64: it tells programs traced with and without x64 apart
    axes = mesh.axis_names
    per_device = -(-lanes // mesh.size)

    def on_device(numbers, words, number, epsilon, parameters):
        chunk_key = keys.chunk(jax.random.wrap_key_data(words, impl=impl), number)

        def one(lane):
            key = keys.lane(chunk_key, lane)
            if reduce is _total:
                return _check_counts(decide(key, parameters))
            outcome = decide(key, epsilon, parameters)
            return _check_outcome(outcome, reduce, epsilon.shape)

        outcomes = lax.map(one, numbers, batch_size=None if batch == 1 else min(batch, per_device))
        return reduce(outcomes, numbers < lanes, axes)

    @jax.jit
    def program(*arguments):
        numbers = jnp.arange(per_device * mesh.size, dtype=jnp.int32)
        # Replication is not checked: it would refuse every loop inside `decide` that starts from a
        # constant. The reductions below replicate by construction.
        return jax.shard_map(
            on_device,
            mesh=mesh,
            in_specs=(PartitionSpec(axes), *[PartitionSpec()] * len(arguments)),
            out_specs=PartitionSpec(),
            check_vma=False,
        )(numbers, *arguments)

    return program.lower(*jax.tree.unflatten(structure, leaves)).compile()


def _check_outcome(outcome, reduce, shape):
    """Refuse the outcome of one draw, while tracing, unless it is what `reduce` takes."""
    record, dtype = (Trial, "bool") if reduce is _count else (FirstWidth, "int32")
    expected = [f"{dtype}{list(shape)}"] * 2
    given = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(outcome)]
    if given != expected:
        raise ValueError(f"one draw must give {record.__name__}({expected}), not {given}")
    return outcome


def _check_counts(outcome):
    """Refuse the counts of one draw, while tracing, unless they are named int32 arrays."""
    if not isinstance(outcome, dict) or not outcome:
        raise ValueError(f"one draw must give a dict of int32 arrays, not {outcome!r}")
    for name, each in outcome.items():
        dtype = getattr(each, "dtype", type(each).__name__)
        if not isinstance(name, str) or dtype != jnp.int32:
            raise ValueError(f"one draw must count {name!r} by an int32 array, not by {dtype}")
    return outcome


def _count(outcomes, is_lane, axes):
    """Successes and undecided draws at every epsilon, over all devices."""
    return jax.tree.map(
        lambda each: lax.psum(jnp.sum(each & is_lane[:, None], axis=0, dtype=jnp.int32), axes),
        outcomes,
    )


def _gather(outcomes, is_lane, axes):
    """The outcome of every lane, padding included, on all devices."""
    del is_lane
    return jax.tree.map(lambda each: lax.all_gather(each, axes, tiled=True), outcomes)


def _total(outcomes, is_lane, axes):
    """The sums of all arrays over the lanes of all devices, and of their absolute values."""

    def sum_lanes(each):
        kept = is_lane.reshape(-1, *[1] * (each.ndim - 1))
        return lax.psum(jnp.sum(jnp.where(kept, each, jnp.zeros_like(each)), axis=0), axes)

    sizes = jax.tree.map(lambda each: jnp.abs(each.astype(jnp.float32)), outcomes)
    return jax.tree.map(sum_lanes, outcomes), jax.tree.map(sum_lanes, sizes)
