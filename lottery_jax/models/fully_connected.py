"""Fully connected networks: ReLU between the layers, a bias in each."""

import flax.linen as nn
import jax.numpy as jnp

# Of the hidden layers, as the paper's names FC5 and FC12 count them together with the output.
FC5 = (1000, 600, 300, 100)
FC12 = (1000, 900, 800, 750, 700, 650, 600, 500, 400, 200, 100)


class FullyConnected(nn.Module):
    """All pixels in, one logit for each class out."""

    hidden: tuple[int, ...]
    num_classes: int

    @nn.compact
    def __call__(self, images, is_training):
        """The logits; training and evaluation do not differ."""
        values = jnp.reshape(images, (len(images), -1))
        for width in self.hidden:
            values = nn.relu(nn.Dense(width, kernel_init=nn.initializers.he_normal())(values))
        return nn.Dense(self.num_classes, kernel_init=nn.initializers.he_normal())(values)
