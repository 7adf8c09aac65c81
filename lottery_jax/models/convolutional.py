"""Plain convolutional networks: a small one, AlexNet and VGG16 in the forms used for CIFAR.

The paper names AlexNet and VGG16 without saying how they meet images of 32 x 32 pixels. Here they
are the usual forms for that size: one linear layer after the last pooling in place of the three
wide ones of ImageNet, no dropout, and pooling over squares that do not overlap. On larger images
the mean over the remaining pixels goes into the linear layer.
"""

import flax.linen as nn
import jax.numpy as jnp

from lottery_jax.models.pooling import halve

_HE = nn.initializers.he_normal()


class SmallCNN(nn.Module):
    """Four convolutions of 3 x 3, about 100,000 weights: for digits and for a processor."""

    num_classes: int

    @nn.compact
    def __call__(self, images, is_training):
        """The logits; training and evaluation do not differ."""
        values = nn.relu(nn.Conv(32, (3, 3), kernel_init=_HE)(images))
        for width in (64, 64):
            values = halve(nn.relu(nn.Conv(width, (3, 3), kernel_init=_HE)(values)))
        values = nn.relu(nn.Conv(64, (3, 3), kernel_init=_HE)(values))
        return _classify(values, self.num_classes)


class AlexNet(nn.Module):
    """Five convolutions (Krizhevsky et al. 2012), the first of 11 x 11 with stride 4."""

    num_classes: int

    @nn.compact
    def __call__(self, images, is_training):
        """The logits; training and evaluation do not differ."""
        first = nn.Conv(64, (11, 11), strides=(4, 4), padding=5, kernel_init=_HE)
        values = halve(nn.relu(first(images)))
        values = halve(nn.relu(nn.Conv(192, (5, 5), kernel_init=_HE)(values)))
        for width in (384, 256, 256):
            values = nn.relu(nn.Conv(width, (3, 3), kernel_init=_HE)(values))
        return _classify(halve(values), self.num_classes)


class VGG16(nn.Module):
    """Thirteen convolutions with batch normalisation (Simonyan and Zisserman 2015)."""

    num_classes: int

    @nn.compact
    def __call__(self, images, is_training):
        """The logits; `is_training` takes the statistics of the batch and updates the averages."""
        values = images
        for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(depth):
                values = nn.Conv(width, (3, 3), use_bias=False, kernel_init=_HE)(values)
                values = nn.BatchNorm(not is_training, momentum=0.9, epsilon=1e-5)(values)
                values = nn.relu(values)
            values = halve(values)
        return _classify(values, self.num_classes)


def _classify(values, num_classes):
    return nn.Dense(num_classes, kernel_init=_HE)(jnp.mean(values, axis=(1, 2)))
