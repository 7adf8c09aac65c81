"""Experiments with known laws, cheap enough to be run thousands of times."""

import math

import jax
import jax.numpy as jnp

from lottery_jax.montecarlo import Experiment, FirstWidth, Trial

MAX_WIDTH = 64


def below(*, lanes=100, scale=1.0, band=0.0, trial=None, **options):
    """Success if a uniform number lies below scale * ε, undecided if above by at most `band`."""

    return Experiment(
        "below",
        settings=(("band", band), ("scale", scale)),
        trial=trial or _below,
        parameters=(("band", float(band)), ("scale", float(scale))),
        lanes=lanes,
        **options,
    )


def _below(key, epsilons, parameters):
    uniform = jax.random.uniform(key, (), jnp.float32)
    edge = parameters["scale"] * epsilons
    hits = uniform < edge
    return Trial(hits, ~hits & (uniform < edge + parameters["band"]))


def nested(width, *, lanes=64, band=0.0, first_width=None, **options):
    """Success at a width if one of the first `width` uniform numbers lies below ε."""

    def at_width(width):
        return nested(width, lanes=lanes, band=band, first_width=first_width, **options)

    return Experiment(
        "nested",
        settings=(("band", band), ("width", width)),
        first_width=first_width or _first_below,
        parameters=(("band", float(band)), ("width", width)),
        lanes=lanes,
        **{"at_width": at_width, "max_width": MAX_WIDTH} | options,
    )


def _first_below(key, epsilon, parameters):
    uniform = jax.random.uniform(key, (MAX_WIDTH,), jnp.float32)

    def first(is_below):
        width = jnp.argmax(is_below).astype(jnp.int32) + 1
        return jnp.where(is_below.any(), width, MAX_WIDTH + 1)

    widest = parameters["width"] + 1
    certain = jnp.minimum(first(uniform < epsilon), widest)
    possible = jnp.minimum(first(uniform < epsilon + parameters["band"]), widest)
    return FirstWidth(certain, possible)


def nested_threshold(epsilon, probability):
    """The smallest N with 1 - (1 - ε)^N >= p."""
    return math.ceil(math.log(1 - probability) / math.log(1 - epsilon))
