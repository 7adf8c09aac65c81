# %% [markdown]
# # Where the proof holds, and where it does not
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lottery-jax/lottery-jax/blob/main/notebooks/proof.ipynb)
#
# "Structured vs. Unstructured Pruning: An Exponential Gap" (2026) proves that neuron pruning of a
# random two-layer ReLU network needs width of order $d/\varepsilon$. The proof looks at the network
# along lines, counts the kinks that are in the way, and bounds how likely they are all cancelled.
# Every object in it is here a simulation. On a CPU this page takes some minutes.

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

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display

import lottery_jax as lj
from lottery_jax import study
from lottery_jax.proof import STUDIES

lj.use_all_cores()  # CPU cores become devices; a GPU or TPU is used anyway
key = lj.key(0)
is_small = os.environ.get("LOTTERY_JAX_CI") == "1"  # CI runs this page in its quick form
folder = Path(tempfile.mkdtemp())  # name a folder of your own to be able to go on later


def run(name):
    """Run one study into the folder, say what it found, and show its figure."""
    module = STUDIES[name]
    setup = module.QUICK if is_small or name in ("corners", "exponents") else module.FULL
    rows = study.run_into(module, setup, folder, key=key, progress=False)
    print(module.describe(rows))
    display(Image(folder / f"{name}.png", width=700))
    return rows


# %% [markdown]
# ## Kinks and bins
#
# Along the line $x(t) = (t, 1)$ a neuron $\alpha\,\mathrm{relu}(\langle w, x\rangle)$ has one kink,
# at $t = -w_2/w_1$, where its slope jumps by $\alpha |w_1|$. Below, the kinks of one network of 40
# neurons, and those of the bins of length 0.25 that are *broken*: no affine function comes close to
# the network on them.

# %%
from lottery_jax import geometry
from lottery_jax.neuron_pruning import reduction

network = reduction.draw(key, dim=2, num_neurons=40)
kinks = geometry.breakpoints(network.hidden, network.output)
places, jumps = np.asarray(kinks.places[:, 0]), np.asarray(kinks.jumps[:, 0])
line = np.linspace(-1.7, 1.7, 1001, dtype=np.float32)
points = jnp.stack([jnp.asarray(line), jnp.ones(line.shape, jnp.float32)], axis=1)
values = np.maximum(np.asarray(points @ network.hidden.T), 0) @ np.asarray(network.output)

_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(line, values, color="black", label="the network")
ax.stem(places, jumps, basefmt=" ", label="slope jumps")
ax.set_xlim(-1.75, 1.75)
ax.set_xlabel("t")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The proof takes the jump for one Gaussian weight. It is the product of two, and
# $\Delta\sqrt{1+t^2}$ has a Laplace law: small jumps are more likely than the proof says. And a
# steep kink near the end of its bin does not break it.

# %%
rows = run("kinks")

# %% [markdown]
# ## Three processes on the same neurons
#
# Neurons are kept one after the other. The *original* process counts the broken bins; the *capped*
# one never counts more than $T$; a birth-death chain is to bound it. The paper claims
# $B^{cap} \le B^{orig}$ on every path. If the capped process keeps its own set of neurons, this
# fails on some paths, and each of them can be drawn again from its address.

# %%
rows = run("process")

# %% [markdown]
# The chain itself is solved exactly, down to probabilities far below the smallest floating-point
# number.

# %%
from lottery_jax.neuron_pruning import birth_death

print("log Pr(B_k = 0) after 1, 100, 10^6 steps:")
print(birth_death.log_probability_zero(0.3, 0.1, 10_000, np.array([1, 100, 1_000_000])))
rows = run("chain")

# %% [markdown]
# ## Families of inputs are not independent
#
# Lemma 3 multiplies the probabilities of $\lfloor d/2 \rfloor$ lines. All of them see the same
# output weights, and a network whose output weights happen to be small is good on many lines at
# once.

# %%
rows = run("families")

# %% [markdown]
# ## How rare are good networks?
#
# The union bound needs $p_k$, the probability that a random network of $k$ neurons is good as it
# is. Multilevel splitting measures it where counting cannot.

# %%
rows = run("rare")

# %% [markdown]
# ## Which change makes the gap?
#
# Weight pruning's logarithm comes with a ReLU after the sum, the lower bound for neuron pruning
# with a linear output. Here are all four combinations.

# %%
rows = run("corners")

# %% [markdown]
# ## The exponent
#
# With at most $k$ neurons kept, the width grows like $\varepsilon^{-(d-1+1/k)}$ or so: in more than
# two dimensions far faster than the $1/\varepsilon$ of the theorem.

# %%
rows = run("exponents")

# %% [markdown]
# `lottery-jax proof` runs all of this and prints one table: each step, what it claims, what was
# measured, and whether it holds.
