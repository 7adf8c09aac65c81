"""What training asks of a network and of a data set; `models.Model` and `data.Dataset` have it."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

Params = PyTree
# A mask has the leaves of the parameters: ones where a weight is kept, zeros where it is removed.
Mask = PyTree | None
Images = Float[Array, "image height width channel"]
Labels = Int[Array, " image"]


@runtime_checkable
class Network(Protocol):
    """A network as pure functions."""

    @property
    def name(self) -> str:
        """In messages and labels."""
        ...

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        ...

    @property
    def num_classes(self) -> int:
        """Logits of an image."""
        ...

    @property
    def init(self) -> Callable[..., tuple[Any, Any]]:
        """A key gives parameters and state."""
        ...

    @property
    def apply(self) -> Callable[..., tuple[Any, Any]]:
        """(params, state, images, is_training) give logits and state."""
        ...


@runtime_checkable
class Examples(Protocol):
    """Images and labels to train on, as NumPy arrays."""

    @property
    def name(self) -> str:
        """In messages and labels."""
        ...

    @property
    def train_images(self) -> np.ndarray:
        """[image, height, width, channel]."""
        ...

    @property
    def train_labels(self) -> np.ndarray:
        """Integers from 0."""
        ...


def check_examples(model: Network, images: Any, labels: Any) -> None:
    """Raise ValueError for images or labels that do not fit the network or each other."""
    if np.ndim(images) != 4 or tuple(images.shape[1:]) != tuple(model.input_shape):
        raise ValueError(
            f"images of shape {np.shape(images)} do not fit {model.name!r}, built for "
            f"{model.input_shape}; build it with input_shape=images.shape[1:]"
        )
    if np.shape(labels) != (len(images),) or len(images) == 0:
        raise ValueError(f"{np.shape(labels)=} must be one label for each of {len(images)} images")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"{labels.dtype=} must be integers from 0 to {model.num_classes - 1}")
    smallest, largest = int(labels.min()), int(labels.max())
    if smallest < 0 or largest >= model.num_classes:
        raise ValueError(
            f"labels lie between {smallest} and {largest}, but {model.name!r} was built for "
            f"num_classes={model.num_classes}: 0 to {model.num_classes - 1}"
        )
