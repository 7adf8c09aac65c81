"""Exact geometry of ReLU sums: the sup of the error over a ball."""

from lottery_jax.geometry.faces import sup_faces as sup_faces
from lottery_jax.geometry.plane import sup_plane as sup_plane
from lottery_jax.geometry.relu_sums import rounding_bound as rounding_bound
from lottery_jax.geometry.relu_sums import sup_on_sphere as sup_on_sphere
from lottery_jax.geometry.relu_sums import sup_over_ball as sup_over_ball
from lottery_jax.geometry.space import sup_space as sup_space
