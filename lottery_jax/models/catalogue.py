"""The table of networks: name -> builder.

Flax is imported by the first network that is built, not before.
"""

import functools

from lottery_jax.models.model import Model, from_linen

# Of "mlp" by default: a tenth of FC5 in every layer, 15,000 weights on digits of 8 x 8 pixels.
SMALL_HIDDEN = (100, 60, 30, 20)


# Pixels along the shorter side that poolings and strides leave something of.
_SMALLEST_SIDE = {
    "mlp": 1,
    "cnn": 4,
    "resnet8": 1,
    "fc5": 1,
    "fc12": 1,
    "alexnet": 29,
    "vgg16": 32,
    "resnet18": 1,
    "resnet50": 1,
}
NAMES = tuple(_SMALLEST_SIDE)


def build(
    name: str,
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    hidden: tuple[int, ...] | None = None,
) -> Model:
    """The network of that name for images of that shape.

    Parameters
    ----------
    name
        "fc5", "fc12", "alexnet", "vgg16", "resnet18", "resnet50": the paper's, in their forms for
        CIFAR; "mlp", "cnn", "resnet8": small ones.
    input_shape
        Height, width and channels of an image.
    num_classes
        At least 2.
    hidden
        Widths of the hidden layers of "mlp"; None for (100, 60, 30, 20), a tenth of FC5.

    Raises
    ------
    ValueError
        For an unknown name, a shape or widths out of range, images too small for the network.

    Notes
    -----
    Weights start normal, truncated, with variance 2 / inputs (He et al. 2015); biases at zero.
    There is no dropout. Networks: arXiv 2306.05857, section 5, with the forms that `convolutional`
    and `residual` state.

    Examples
    --------
    >>> import jax
    >>> model = build("mlp", input_shape=(8, 8, 1), num_classes=10, hidden=(32,))
    >>> params, state = model.init(jax.random.key(0))
    >>> params["Dense_0"]["kernel"].shape, state
    ((64, 32), {})
    """
    if name not in NAMES:
        raise ValueError(f"model {name!r} is not known; choose one of {', '.join(NAMES)}")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"{input_shape=} must be height, width and channels, each at least 1")
    if num_classes < 2:
        raise ValueError(f"{num_classes=} must be at least 2")
    if hidden is not None and name != "mlp":
        raise ValueError(f"{hidden=} is for 'mlp'; the layers of {name!r} are fixed")
    if hidden is not None and (not hidden or min(hidden) < 1):
        raise ValueError(f"{hidden=} must be widths of at least 1, such as (100, 60)")
    if min(input_shape[:2]) < _SMALLEST_SIDE[name]:
        raise ValueError(
            f"{name!r} needs images of at least {_SMALLEST_SIDE[name]} pixels a side, not "
            f"{input_shape=}; 'cnn', 'resnet8' and 'mlp' take smaller ones"
        )
    return _build(name, tuple(input_shape), num_classes, tuple(hidden) if hidden else None)


@functools.cache  # equal settings give one object, and so one compilation
def _build(name, input_shape, num_classes, hidden) -> Model:
    from lottery_jax.models import convolutional, fully_connected, residual

    classes = num_classes
    connected, residual_network = fully_connected.FullyConnected, residual.ResidualNetwork
    wide = (64, 128, 256, 512)
    modules = {
        "mlp": lambda: connected(hidden or SMALL_HIDDEN, classes),
        "cnn": lambda: convolutional.SmallCNN(classes),
        "resnet8": lambda: residual_network((1, 1, 1), (16, 32, 64), False, classes),
        "fc5": lambda: connected(fully_connected.FC5, classes),
        "fc12": lambda: connected(fully_connected.FC12, classes),
        "alexnet": lambda: convolutional.AlexNet(classes),
        "vgg16": lambda: convolutional.VGG16(classes),
        "resnet18": lambda: residual_network((2, 2, 2, 2), wide, False, classes),
        "resnet50": lambda: residual_network((3, 4, 6, 3), wide, True, classes),
    }
    return from_linen(name, modules[name](), input_shape=input_shape, num_classes=num_classes)
