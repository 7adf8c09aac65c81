"""How a network is trained: the settings, and those of the paper."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PENALTIES = ("subgradient", "proximal")
SCHEDULES = ("constant", "cosine")


class Recipe(NamedTuple):
    """Stochastic gradient descent with momentum on cross-entropy + l1 * |all parameters|_1."""

    learning_rate: float
    momentum: float = 0.9
    l1: float = 0.0  # strength of the penalty, on biases and normalisation too
    penalty: str = "subgradient"  # or "proximal", which gives exact zeros; see `penalty`
    batch: int = 128  # images in a step
    epochs: int = 200
    schedule: str = "constant"  # or "cosine": from learning_rate down to 0 over all epochs
    augment: bool = False  # mirror half of the images and shift all by up to 4 pixels


# Settings of arXiv 2306.05857, appendix: model -> recipe. FC5, FC12, AlexNet and VGG16 on CIFAR-10,
# the residual networks on CIFAR-100.
PAPER: Mapping[str, Recipe] = MappingProxyType(
    {
        "fc5": Recipe(0.01, l1=5e-5),
        "fc12": Recipe(0.01, l1=5e-5),
        "alexnet": Recipe(0.01, l1=3e-5),
        "vgg16": Recipe(0.01, l1=1e-4),
        "resnet18": Recipe(0.1, l1=5e-5),
        "resnet50": Recipe(0.1, l1=2e-5),
    }
)


def check_recipe(recipe: Recipe, num_images: int | None = None) -> Recipe:
    """Return the recipe if its settings lie in range.

    Raises
    ------
    ValueError
        Otherwise, or for batches larger than `num_images`.

    Examples
    --------
    >>> check_recipe(Recipe(0.1, penalty="l1"))
    Traceback (most recent call last):
    ValueError: penalty='l1' must be one of subgradient, proximal
    """
    if not (math.isfinite(recipe.learning_rate) and recipe.learning_rate > 0):
        raise ValueError(f"learning_rate={recipe.learning_rate} must be positive and finite")
    if not 0 <= recipe.momentum < 1:
        raise ValueError(f"momentum={recipe.momentum} must lie in [0, 1)")
    if not (math.isfinite(recipe.l1) and recipe.l1 >= 0):
        raise ValueError(f"l1={recipe.l1} must be at least 0 and finite")
    if recipe.penalty not in PENALTIES:
        raise ValueError(f"penalty={recipe.penalty!r} must be one of {', '.join(PENALTIES)}")
    if recipe.schedule not in SCHEDULES:
        raise ValueError(f"schedule={recipe.schedule!r} must be one of {', '.join(SCHEDULES)}")
    if recipe.epochs < 0:
        raise ValueError(f"epochs={recipe.epochs} must be at least 0")
    if recipe.batch < 1 or (num_images is not None and recipe.batch > num_images):
        raise ValueError(f"batch={recipe.batch} must lie between 1 and {num_images} images")
    return recipe
