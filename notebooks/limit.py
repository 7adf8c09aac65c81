# %% [markdown]
# # How sparse can your network be?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lottery-jax/lottery-jax/blob/main/notebooks/limit.ipynb)
#
# A trained network lies at the bottom of a valley of its loss. Removing a fraction $\rho$ of the
# weights moves it by $R(\rho)$; how far it may move, and in how many directions, is told by the
# eigenvalues of the Hessian. `pruning_limit.predict` takes any loss, any parameters and any
# batches, and answers with error bars. Below: a raw-JAX, a Linen and an NNX network, their
# predicted limits, and what pruning them really does. On a CPU this page takes some minutes.

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
import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import lottery_jax as lj
from lottery_jax import data, pruning_limit

key = lj.key(0)
is_small = os.environ.get("LOTTERY_JAX_CI") == "1"  # CI runs this page in small
passes, products, width = (150, 120, 24) if is_small else (600, 1600, 100)

digits = data.load("digits")
images, labels = digits.train_images.reshape(-1, 64), digits.train_labels
test = digits.test_images.reshape(-1, 64), digits.test_labels
batches = [(images[i : i + 128], labels[i : i + 128]) for i in range(0, len(images), 128)]


def cross_entropy(logits, labels):
    return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels))


# %% [markdown]
# ## A network in raw JAX
#
# Any pytree of parameters and a loss of (parameters, batch). It is trained with an l1 penalty,
# which moves weights that do not matter to zero; the loss that is *pruned* has none.


# %%
def outputs(params, images):
    hidden = jax.nn.relu(images @ params["first"])
    return jax.nn.relu(hidden @ params["second"]) @ params["last"] + params["bias"]


def loss(params, batch):
    return cross_entropy(outputs(params, batch[0]), batch[1])


def penalised(loss, strength=3e-4):
    def total(params, batch):
        sizes = jax.tree.map(lambda leaf: jnp.sum(jnp.abs(leaf)), params)
        return loss(params, batch) + strength * jax.tree.reduce(jnp.add, sizes)

    return total


def train(loss, params):
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, passes))
    batch = images, labels

    def step(state, _):
        params, memory = state
        update, memory = optimizer.update(jax.grad(penalised(loss))(params, batch), memory)
        return (optax.apply_updates(params, update), memory), None

    return jax.lax.scan(step, (params, optimizer.init(params)), length=passes)[0][0]


shapes = {"first": (64, width), "second": (width, width // 2), "last": (width // 2, 10)}
start = {
    name: jax.random.normal(jax.random.fold_in(key, n), shape) * (2 / shape[0]) ** 0.5
    for n, (name, shape) in enumerate(shapes.items())
}
params = train(loss, {**start, "bias": jnp.zeros(10)})
limit = pruning_limit.predict(loss, params, batches, key=key, products=products)
print(limit)

# %% [markdown]
# Each form of the limit is a curve that falls as more is removed; it predicts the limit where it
# meets the fraction removed. `epsilon`, the loss that one is ready to pay, is here the spread of
# the loss over the batches; any number may be given.

# %%
limit.plot()
plt.show()

# %% [markdown]
# ## What pruning really does
#
# The rule of one-shot pruning looks at the loss right after removing the smallest weights. The
# other one optimises the kept weights again: it asks whether *some* setting of them will do.

# %%
one_shot = pruning_limit.one_shot_limit(loss, params, batches, epsilon=limit.epsilon)
again = pruning_limit.reoptimised_limit(
    loss,
    params,
    batches,
    epsilon=limit.epsilon,
    train_batches=batches,
    passes=10 if is_small else 50,
)
for measured in (one_shot, again):
    print(f"{measured.rule}: {measured.limit:.3f} [{measured.low:.3f}, {measured.high:.3f}]")

# %%
sparsities = np.linspace(0, 1, 21 if is_small else 101)
pruned = pruning_limit.sweep(loss, params, batches, sparsities.tolist())
held_out = pruning_limit.sweep(loss, params, [test], sparsities.tolist())
plt.semilogy(sparsities, pruned.means, label="training images")
plt.semilogy(sparsities, held_out.means, "--", label="held-out images")
for name, colour in (("displacement", "C2"), ("one-shot", "C3")):
    plt.axvline(limit.limits[name].limit, color=colour, label=f"predicted: {name}")
plt.xlabel("fraction of the weights removed")
plt.ylabel("loss right after pruning")
plt.legend()
plt.show()

# %% [markdown]
# ## What "global" means
#
# Global pruning compares the weights of all layers, so it takes more from some than from others.

# %%
for layer in limit.layers(limit.limits["displacement"].limit):
    print(f"{layer.path:8} {layer.shape}: {layer.removed} of {layer.size} ({layer.sparsity:.2f})")

# %% [markdown]
# ## Flax, both ways
#
# A Linen network comes with a pytree of parameters. An NNX one is split into a graph and a state,
# which is a pytree as well. With the loss in two parts the Gauss-Newton matrix can take the place
# of the Hessian: it has no negative eigenvalues.


# %%
class Linen(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(10)(nn.relu(nn.Dense(width)(images)))


linen = Linen()
split = pruning_limit.SplitLoss(
    lambda params, batch: linen.apply(params, batch[0]),
    lambda logits, batch: cross_entropy(logits, batch[1]),
)
linen_params = train(split, linen.init(key, images[:1]))
forms = ["paper", "generic"]
for negative in ("abs", "gauss_newton"):
    found = pruning_limit.predict(
        split,
        linen_params,
        batches,
        key=key,
        negative=negative,
        products=products,
        predicted=forms,
    )
    print(negative, {form: round(row.limit, 3) for form, row in found.limits.items()})

# %%
layers = nnx.Linear(64, width, rngs=nnx.Rngs(0)), nnx.Linear(width, 10, rngs=nnx.Rngs(1))
graph, state = nnx.split(nnx.Sequential(layers[0], nnx.relu, layers[1]))


def nnx_loss(state, batch):
    return cross_entropy(nnx.merge(graph, state)(batch[0]), batch[1])


state = train(nnx_loss, state)
found = pruning_limit.predict(nnx_loss, state, batches, key=key, products=products, predicted=forms)
print(found)

# %% [markdown]
# A mask alone does not make a network faster. What the limit tells is how much of it was needed.
