# %% [markdown]
# # The exponential gap, from the inside
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lottery-jax/lottery-jax/blob/main/notebooks/tour.ipynb)
#
# Take a random two-layer ReLU network and never train it. Can you remove parts of it until what is
# left approximates a given neuron? This tour prunes one network by hand, counts over many, measures
# how wide a network must be, and ends with an experiment of your own. Five minutes on a CPU.

# %%
import os
import sys

if "google.colab" in sys.modules:  # elsewhere the package is installed already
    import subprocess

    import jax
    import jaxlib

    pins = [f"jax=={jax.__version__}", f"jaxlib=={jaxlib.__version__}"]  # leave jax as it is
    package = "lottery-jax @ git+https://github.com/lottery-jax/lottery-jax"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package, *pins], check=True)

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import lottery_jax as lj

lj.use_all_cores()  # CPU cores become devices; a GPU or TPU is used anyway
key = lj.key(0)
is_small = os.environ.get("LOTTERY_JAX_CI") == "1"  # CI runs this page with fewer draws
jax.devices()

# %% [markdown]
# ## One network, pruned by hand
#
# The network is $g(x) = \sum_i \alpha_i\,\mathrm{relu}(\langle w_i, x\rangle)$ with 40 neurons and
# normal weights. The target is the single neuron $f(x) = \mathrm{relu}(x_1)$; as the law of the
# weights does not change under rotations, any other unit neuron would do. *Neuron pruning* keeps
# some neurons as they are and drops the others. `search` looks at every subset of at most four.

# %%
from lottery_jax.geometry.networks import evaluate
from lottery_jax.neuron_pruning import reduction

network = reduction.draw(key, dim=2, num_neurons=40)
search = jax.jit(reduction.search, static_argnames=("max_kept", "output"))
match = search(
    network,
    jnp.int32(40),
    least=jnp.float32(0.01),
    most=jnp.float32(1.0),
    max_kept=4,
    output="linear",
)
print("kept neurons:", [n for n in match.subset.tolist() if n < 40])
print(f"error on the unit ball: {match.error:.4f}")

# %% [markdown]
# `lift` makes the pruned network, and `audit` computes its error again from the weights alone. The
# error is a supremum over the whole disc, not a maximum over samples: it is positively homogeneous,
# so the circle is enough, and the dense curve below touches the bound without crossing it.

# %%
pruned = reduction.lift(network, match)
audited = float(reduction.audit(pruned, max_kept=4, output="linear"))

angles = np.linspace(-np.pi, np.pi, 2001, dtype=np.float32)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
values = evaluate(pruned, circle)

_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(angles, np.maximum(circle[:, 0], 0), label="target")
ax.plot(angles, values, label="what pruning left")
ax.plot(angles, values - np.maximum(circle[:, 0], 0), label="error")
ax.axhline(audited, color="0.6", ls=":", label="supremum")
ax.axhline(-audited, color="0.6", ls=":")
ax.set_xlabel("angle of x")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## How likely is that?
#
# `estimate` decides many draws at a whole grid of ε and gives the probability of success with exact
# confidence limits. Points of one curve share their draws. A draw that float32 cannot decide would
# count as *undecided*, and the limits would cover it both ways.

# %%
trials = 500 if is_small else 4_000
epsilons = np.geomspace(0.02, 0.5, 8 if is_small else 15)
settings = {"dim": 2, "width": 40, "radius": 1.0, "output": "relu"}

neurons = lj.estimate(
    lj.neuron_pruning.experiment(**settings), key=key, trials=trials, epsilons=epsilons
)
weights = lj.estimate(
    lj.weight_pruning.experiment(**settings), key=key, trials=trials, epsilons=epsilons
)
neurons

# %%
ax = neurons.plot()
weights.plot(ax)
plt.show()

# %% [markdown]
# Both curves are lower bounds on the success of pruning itself, and their labels say so: subsets of
# more than four neurons are not searched, and weight pruning uses one construction, that of Pensia
# et al. (2020), in which the weights kept at each input solve subset-sum problems.
#
# ## How wide must the network be?
#
# The first $n$ neurons of a draw are the same for every width. So each draw has a *first width* at
# which it succeeds, and `threshold` finds the width at which half of the draws do. A pilot chooses
# how wide to draw, fresh draws decide, and so the limits are exact.

# %%
trials = 128 if is_small else 800
print(
    lj.threshold(
        lj.neuron_pruning.experiment(dim=2, width=40, radius=1.0),
        key=key,
        epsilon=0.2,
        trials=trials,
    )
)

# %% [markdown]
# A few such points draw the headline figure. `lottery-jax gap` is the same with more of them.

# %%
from lottery_jax import gap

curves = [
    curve._replace(trials=trials, epsilons=curve.epsilons[: 2 if is_small else None])
    for curve in gap.QUICK
    if curve.dim == 2 or not is_small
]
rows = gap.measure(curves, key=key)
gap.draw(rows)
print(gap.describe(rows))

# %% [markdown]
# Each halving of ε costs weight pruning a constant number of neurons. It multiplies what neuron
# pruning needs by a constant, and by a larger one in higher dimension.
#
# ## Stop and go on
#
# With a store, every finished chunk of draws is one durable line. The second call below finds all
# of its draws in the file. A call with more trials would count only what is missing; a run on
# another machine with `shard=(1, 2)` would do the other half.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    run = {"key": key, "trials": trials, "epsilons": [0.1, 0.3]}
    store = Path(folder) / "rows.jsonl"
    experiment = lj.neuron_pruning.experiment(**settings)
    first = lj.estimate(experiment, **run, store=store)
    again = lj.estimate(experiment, **run, store=store)
assert first.hits.tolist() == again.hits.tolist()
print(again)

# %% [markdown]
# ## An experiment of your own
#
# One function decides one draw: it takes a key and gives, for every ε, whether the draw is a
# success and whether rounding leaves that open. Everything above then works for it too. Here is
# Lueker's question beneath weight pruning: is a random target near a subset sum of $n$ random
# numbers?

# %%
from lottery_jax.core import keys
from lottery_jax.subset_sum import nearest_sum

num_items = 10


def trial(key, epsilons, parameters):
    of_items, of_target = keys.items(key, 2)
    items = jax.random.uniform(of_items, (num_items,), jnp.float32, -1.0, 1.0)
    target = jax.random.uniform(of_target, (), jnp.float32, -1.0, 1.0)
    match = nearest_sum(items, target)
    hits = match.error <= epsilons
    return lj.Trial(hits, ~hits & (match.error_low <= epsilons))


lueker = lj.Experiment("random_subset_sum", settings=(("num_items", num_items),), trial=trial)
lj.estimate(lueker, key=key, trials=trials, epsilons=[1e-1, 1e-2, 1e-3, 1e-4])

# %% [markdown]
# Ten numbers serve a target to about 1 %. To add such an experiment to the library, with a pruned
# network and an audit behind it, follow the ten steps in ARCHITECTURE.md.
