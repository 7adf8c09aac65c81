# %% [markdown]
# # Quantised networks: pruning that is exact
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lottery-jax/lottery-jax/blob/main/notebooks/quantized.ipynb)
#
# Where weights are whole multiples of a step $\delta$, a pruned random network can *be* its target,
# not only come near it. "Quantization vs Pruning: Insights from the Strong Lottery Ticket
# Hypothesis" (arXiv 2508.11020) proves that it is, with high probability, once it is wider by a
# factor of order $\log(1/\delta)$. Below, everything is whole numbers, and equality means equality.
# On a CPU this page takes some minutes.

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
from lottery_jax.core import keys
from lottery_jax.precision import transition, widths, window
from lottery_jax.quantized import audit, construction, enumeration, laws, partition, products
from lottery_jax.subset_sum import integers

lj.use_all_cores()  # CPU cores become devices; a GPU or TPU is used anyway
key = lj.key(0)
is_small = os.environ.get("LOTTERY_JAX_CI") == "1"  # CI runs this page in its quick form
folder = Path(tempfile.mkdtemp())  # name a folder of your own to be able to go on later


def run(module):
    """Run one study into the folder, say what it found, and show its figure."""
    setup = module.QUICK if is_small else module.FULL
    rows = study.run_into(module, setup, folder, key=key, progress=False)
    print(module.describe(rows))
    display(Image(folder / f"{module.NAME}.png", width=1000))


# %% [markdown]
# ## One partition
#
# Can sixteen numbers be dealt into two piles of equal weight, or, where their total is odd, of
# weights that differ by 1? That is one subset sum with half of the total as its target.

# %%
largest = 2**12
items = np.asarray(partition.magnitudes(key, jnp.int32(largest), num_items=16))
half = int(items.sum()) // 2
found = integers.witness(items, half)
print("numbers:", items.tolist())
print("subsets with half of the total:", int(integers.count(items, half)))
if found.exists:
    piles = items[found.mask], items[~found.mask]
    for pile in piles:
        print("pile of", pile.sum(), "=", " + ".join(map(str, pile)))

# %% [markdown]
# Sixteen numbers have $2^{16}$ subsets and totals of some $2^{15}$: one expects solutions. With
# larger numbers they become rare. Small cases can be counted to the last one, all $M^n$ of them:

# %%
for num_items, most in ((3, 4), (4, 8), (6, 8)):
    solvable = enumeration.count_partitions(num_items, most)[-1]
    law = laws.perfect(num_items, np.log2(most)).success
    told = f"{solvable} of {most**num_items} are perfectly partitionable"
    print(f"n = {num_items}, M = {most}: {told}, {solvable / most**num_items:.3f}; law {law:.3f}")

# %% [markdown]
# ## The transition has a window
#
# Borgs, Chayes and Pittel (2001): with $\kappa = \log_2(M)/n$ fixed and $n$ growing, perfect
# partitions exist almost surely below $\kappa = 1$ and almost never above. Near it everything
# happens at $\kappa_n = 1 - \log_2(n)/(2n) + \lambda/n$, and there the chance has a limit,
# $p(\lambda) = 1 - \tfrac12 e^{-a}(1 + e^{-a})$ with $a = \sqrt{3/(2\pi)}\,2^{-\lambda}$.

# %%
run(window)

# %% [markdown]
# ## Networks see a softer one
#
# A weight of a network is a *given* sum, of items of both signs. In the language of partitions the
# difference that is wanted then depends on the draw, and is often an unlikely one. So the chance is
# an average of many windows instead of one. The last sentences below say what that does to its
# fall, target by target.

# %%
run(transition)

# %% [markdown]
# ## One weight, exactly
#
# With $\delta = 2^{-3}$ weights are $-8..8$ in units of $\delta$. A random network with one input,
# $2n$ hidden units and one output is to be $w\,x$, on every $x$ of the grid. Units of side 0 with a
# positive weight $a$ give $a\,\sigma(x)$, units of side 1 with a negative one $|a|\,\sigma(-x)$;
# $w\,x = w\,\sigma(x) - w\,\sigma(-x)$, so the output weights $b$ that are kept must satisfy
# $\sum b\,|a| = w$ on one side and $-w$ on the other, in units of $\delta^2$.

# %%
bits, num_units = 3, 48
of_target, of_network = keys.items(key, 2)
target = construction.draw_target(of_target, num_outputs=1, num_inputs=1, bits=bits)
instance = construction.draw(of_network, target, bits=bits, num_units=num_units)
sums = construction.subset_sums(instance, bits=bits, target_bits=bits)
(subsets,) = construction.solve([sums], bits=bits)
first, second = construction.lift(instance, subsets.masks)
print(f"w = {int(target[0, 0])}/8")
for side in (0, 1):
    mask, each_item = (np.asarray(a[side, 0, 0]) for a in (subsets.masks, sums.items))
    print(f"side {side}, kept:", "".join(".#"[int(kept)] for kept in mask))
    terms = [int(each) for each in each_item[mask] if each]
    print("   ", " + ".join(f"({each})" for each in terms) or "nothing", "=", sum(terms), "/ 64")

# %% [markdown]
# The audit knows nothing of subset sums. It evaluates the masked network and the target on the
# whole grid of inputs, in whole numbers.

# %%
grid = jnp.arange(-(2**bits), 2**bits + 1, dtype=jnp.int32)[:, None]
pruned = audit.evaluate((first, second), grid, divisors=(1, 4**bits))
wanted = audit.evaluate((target,), grid, divisors=(2**bits,)) * 2**bits  # in units of δ² too
is_found = bool(jnp.all(subsets.widths <= num_units))
is_equal = bool(jnp.all(pruned == wanted))
print(f"both sums found: {is_found}; equal on all {len(grid)} inputs: {is_equal}")
assert is_equal or not is_found

# %% [markdown]
# ## Width against bits
#
# How many units are enough, for one weight and for all weights of the grid at once? The lower bound
# only counts: $\alpha$ parameters have $2^\alpha$ masks, so they represent at most as many targets.

# %%
run(widths)

# %% [markdown]
# ## What the paper does not quite prove
#
# Its proof turns the products $b\,a$ into items that are uniform on the grid of $\delta^2$, by
# rejecting some. But part of that grid is no product of two weights, so it is never drawn, and no
# rejection can make it appear:

# %%
points = products.is_product(2)
print(f"δ = 1/4: {points.sum()} of {points.size} points of [0, 1] are products:", end=" ")
print(*(f"{each}/16" for each in np.flatnonzero(points)))
for k in (2, 4, 6, 8):
    print(f"k = {k}: {products.share(k):.1%} of the points of [0, 1] are products")

# %%
law = products.product_law(bits)
plt.bar(law.values / 64, law.ways / law.pairs, width=1 / 64)
plt.yscale("log")
plt.xlabel("product of two weights, δ = 1/8")
plt.ylabel("probability")
plt.title("gaps: points of the finer grid that no product reaches", fontsize="medium")
plt.show()

# %% [markdown]
# Two smaller gaps: the lemma for one target is used for all targets at once, and the sum that it
# asks for depends on the items. None of this touches the claim, which the figures above measure on
# the products themselves. But the constant in front of the logarithm is then no longer that of the
# proof.
