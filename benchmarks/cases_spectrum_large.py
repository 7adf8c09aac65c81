"""The spectrum at D = 10^7: ResNet18 on images of the shape of CIFAR, over the bare products.

Meant for an accelerator; runs with --long only. Images are noise, so that nothing is downloaded:
the cost of a product does not depend on them.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import lottery_jax as lj
from benchmarks.timing import Checked, Missing, Result, Rival, compare
from lottery_jax import models, training
from lottery_jax.spectrum import estimate_spectrum, products
from lottery_jax.spectrum.estimate import plan_products

PRODUCTS, EXAMPLES = 80, 256


def spectrum_resnet(scale: str) -> Iterator[Result | Missing]:
    """11 million weights, 80 products: two batches held on the device."""
    if scale != "long":
        return
    generator = np.random.default_rng(0)
    images = generator.normal(size=(EXAMPLES, 32, 32, 3)).astype(np.float32)
    labels = generator.integers(0, 100, EXAMPLES).astype(np.int32)
    model = models.build("resnet18", input_shape=(32, 32, 3), num_classes=100)
    params, state = model.init(lj.key(0))
    batches = [(part, labels[:128]) for part in np.split(images, EXAMPLES // 128)]
    operator = products.hessian(training.loss(model, state), params, batches, keep="data")
    plan = plan_products(operator.size, PRODUCTS)
    seeds = iter(range(1, 1000))

    def ours():
        return estimate_spectrum(operator, key=lj.key(next(seeds)), products=PRODUCTS).largest

    def floor():
        """The same products, and nothing else."""
        for vectors, steps in ((1, plan.outlier_steps), (plan.probes, plan.steps)):
            start = jnp.ones((vectors, operator.size), jnp.float32)
            for _ in range(steps):
                out = operator @ start
            jax.block_until_ready(out)

    yield from compare(
        f"spectrum of ResNet18, {operator.size} weights",
        work="product",
        ours=ours,
        units=PRODUCTS,
        rivals=[Rival("bare products", floor, PRODUCTS, _bare, compiles=True)],
        rounds=3,
    )


def _bare(ours, found) -> Checked:
    return Checked(0, True, "the goal is at most 1.6 times its time")
