# %% [markdown]
# # Sparse features: pruning before training
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lottery-jax/lottery-jax/blob/main/notebooks/features.ipynb)
#
# A target that depends on a few of very many inputs should be learnt from few samples. A dense
# network does not know which inputs they are, and its first gradient step is mostly noise.
# "Pruning is Optimal for Learning Sparse Features in High-Dimensions" (arXiv 2406.08658) proves
# that pruning *before* training finds them: rank the inputs by gradients of the untrained network,
# keep the best, then train. The paper has no experiments. Here they are. On a CPU this page takes
# some minutes.

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
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display

import lottery_jax as lj
from lottery_jax import study
from lottery_jax.core import keys
from lottery_jax.features import cancellation, error, exponents, recall, signs
from lottery_jax.sparse_features import data, directions, learn, links, prune_network

lj.use_all_cores()  # CPU cores become devices; a GPU or TPU is used anyway
key = lj.key(0)
is_small = os.environ.get("LOTTERY_JAX_CI") == "1"  # CI runs this page in its quick form
folder = Path(tempfile.mkdtemp())  # name a folder of your own to be able to go on later


def run(module, *, is_long=False):
    """Run one study into the folder, say what it found, and show its figure."""
    setup = module.QUICK if is_small or is_long else module.FULL
    rows = study.run_into(module, setup, folder, key=key, progress=False)
    print(module.describe(rows))
    display(Image(folder / f"{module.NAME}.png", width=1000))


# %% [markdown]
# ## One target
#
# $y = \mathrm{He}_2(\langle v, x\rangle)/\sqrt2$ with $x$ standard normal in $\mathbb{R}^d$, and
# $v$ with $s$ entries $\pm1/\sqrt s$. Its lowest Hermite coefficient is the second one: the
# *information exponent* $k^*$ is 2, and no input correlates with $y$ by itself.

# %%
dim, support_size, num_samples = (64, 4, 1500) if is_small else (256, 12, 8000)
of_direction, of_rows, of_pruning, of_network, of_test, of_random = keys.items(key, 6)

link = links.hermite({2: 1.0})
V = directions.flat(of_direction, dim, support_size)
support = directions.support(V)
model = data.Model(link)
source = data.generated(model, V, of_rows)  # rows are drawn when they are read, and never kept
print(f"k* = {link.information_exponent}; inputs that matter: {jnp.flatnonzero(support).tolist()}")

# %% [markdown]
# The network is $\sum_j a_j\,\sigma(\langle w_j, x\rangle + b_j)$, in pairs that cancel, so that it
# starts at 0. PruneNetwork puts $w_j$ at each vector of a *shifted* basis in turn,
# $c\,e_i + \sqrt{1-c^2}\,e_{d+1}$, where the last input is added noise, and looks at how large the
# gradient's $M$ largest entries are. Four fifths of the rows choose inputs and fit; the last fifth
# is for the choice of the ridge below.

# %%
num_fitted = learn.num_fitted(num_samples)
pruned = prune_network(source, num_fitted, of_pruning, num_pairs=64, kept=support_size, shift=0.5)
kept_of_support = int(jnp.sum(pruned.kept & support))
print(f"kept {int(jnp.sum(pruned.kept))} of {dim} inputs,", end=" ")
print(f"among them {kept_of_support} of the {support_size} that matter")

figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), sharey=True)
for ax, name in zip(axes, ("even", "odd"), strict=True):
    scores = np.asarray(getattr(pruned.scores, name))[:dim]
    for chosen, label in ((np.asarray(support), "matters"), (~np.asarray(support), "does not")):
        ax.plot(np.flatnonzero(chosen), scores[chosen], ".", label=label)
    ax.set_xlabel("input")
    ax.set_title(f"score by the {name} part of the activation", fontsize="medium")
axes[0].set_ylabel("score")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# The even part sees this target, the odd part sees an odd one; the algorithm keeps the best of both
# because it does not know. Now one gradient step for the first layer and a ridge regression for the
# second: dense, pruned, told the support, and with as many inputs at random.

# %%
at_random = jax.random.permutation(of_random, pruned.kept)
masks = jnp.stack([jnp.ones(dim, bool), pruned.kept, support, at_random])


@jax.jit
def errors(num_samples):
    learned = learn.learn(source, num_samples, masks, of_network, num_neurons=128)
    fresh = data.generated(model, V, of_test)
    return learn.fresh_error(learned.network, fresh, 10_000).mean


names = ("dense", "pruned", "told the support", "random inputs")
for name, value in zip(names, errors(num_samples), strict=True):
    print(f"{name:>16}: {value:.3f} of the target's variance")

# %% [markdown]
# ## Test error against the number of samples
#
# The same for several numbers of rows and several seeds. This is what `lottery-jax features` draws.

# %%
run(error)

# %% [markdown]
# ## Which sign, and why the basis is shifted
#
# The paper's main text and its appendix exchange the even and the odd part in one line of the
# algorithm. Only one of them can find a target of information exponent 1:

# %%
run(signs)

# %% [markdown]
# And without the shift there are targets that are invisible: the second and the fourth Hermite
# coefficient cancel exactly in the gradient at $e_1$.

# %%
run(cancellation)

# %% [markdown]
# ## How many samples does pruning itself need?
#
# About $s^{k^*}$, if the theory is right, whatever the dimension: then the recall of the support,
# drawn against $n/s^{k^*}$, is one curve for all $d$. The quick form that is shown here has one
# $d$, with two shifts of the basis; the full one has five, takes some minutes, and runs with
# `is_long=False`.

# %%
run(recall, is_long=True)

# %% [markdown]
# ## The exponents
#
# With $s = d^{1/2}$ and $k^* = 2$, a dense network should need $n \sim d^2$ samples for a given
# test error, a pruned one $n \sim d$. What is shown here is the quick form: two small $d$, whose
# limits are so wide that they say how the study works, and little about the exponents. The full run
# takes minutes: set `is_long=False`.

# %%
run(exponents, is_long=True)

# %% [markdown]
# ## Your own data
#
# Any link, any direction, or arrays that you have. Inputs should have mean 0 and variance 1.

# %%
link = links.function(lambda z: jnp.abs(z[:, 0]) - (2 / jnp.pi) ** 0.5, kinks=(0.0,))
print(f"k* = {link.information_exponent}; degree: share of the variance")
for (degree,), coefficient in link.terms:
    print(f"{degree}: {coefficient**2:.4f}")
print(f"beyond: {link.mass_beyond:.4f}")

generator = np.random.default_rng(0)
inputs = generator.standard_normal((6000, 40)).astype(np.float32)
targets = np.maximum(inputs[:, 3] * inputs[:, 5], 0) + 0.1 * generator.standard_normal(6000)
targets = (targets - targets.mean()).astype(np.float32)
own = data.held(jnp.asarray(inputs), jnp.asarray(targets))
pruned = prune_network(own, 6000, key, num_pairs=64, kept=2, shift=0.5)
print("inputs 3 and 5 matter; kept:", jnp.flatnonzero(pruned.kept).tolist())
