"""Residual networks (He et al. 2016) in the forms used for CIFAR.

The stem is one convolution of 3 x 3 without pooling, as the images are small. A shortcut whose
shape changes is a convolution of 1 x 1 with batch normalisation; the stride of a bottleneck sits in
its convolution of 3 x 3.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

_HE = nn.initializers.he_normal()


class ResidualNetwork(nn.Module):
    """Stages of residual blocks; every stage but the first halves the image."""

    depths: Sequence[int]  # blocks in each stage
    widths: Sequence[int]  # channels of each stage, before a bottleneck multiplies them
    is_bottleneck: bool  # blocks of 1 x 1, 3 x 3, 1 x 1 with four times the channels at the end
    num_classes: int

    @nn.compact
    def __call__(self, images, is_training):
        """The logits; `is_training` takes the statistics of the batch and updates the averages."""

        def convolve(values, width, side, stride=1):
            sides, strides = (side, side), (stride, stride)
            # Padding on both sides alike: "SAME" would pad a stride of 2 on one side only.
            convolution = nn.Conv(
                width, sides, strides, padding=side // 2, use_bias=False, kernel_init=_HE
            )
            return nn.BatchNorm(not is_training, momentum=0.9, epsilon=1e-5)(convolution(values))

        def block(values, width, stride):
            if self.is_bottleneck:
                inner = nn.relu(convolve(values, width, 1))
                inner = nn.relu(convolve(inner, width, 3, stride))
                inner = convolve(inner, 4 * width, 1)
            else:
                inner = nn.relu(convolve(values, width, 3, stride))
                inner = convolve(inner, width, 3)
            if values.shape != inner.shape:
                values = convolve(values, inner.shape[-1], 1, stride)
            return nn.relu(values + inner)

        values = nn.relu(convolve(images, self.widths[0], 3))
        for stage, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            for place in range(depth):
                values = block(values, width, 2 if stage > 0 and place == 0 else 1)
        values = jnp.mean(values, axis=(1, 2))
        return nn.Dense(self.num_classes, kernel_init=_HE)(values)
