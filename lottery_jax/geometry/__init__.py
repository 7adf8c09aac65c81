"""Exact geometry of ReLU sums: the sup of the error over a ball, and the kinks along lines."""

from lottery_jax.geometry.breakpoints import Breakpoints as Breakpoints
from lottery_jax.geometry.breakpoints import Broken as Broken
from lottery_jax.geometry.breakpoints import bin_edges as bin_edges
from lottery_jax.geometry.breakpoints import bin_of as bin_of
from lottery_jax.geometry.breakpoints import breakpoints as breakpoints
from lottery_jax.geometry.breakpoints import breaks as breaks
from lottery_jax.geometry.breakpoints import broken_bins as broken_bins
from lottery_jax.geometry.breakpoints import num_bins as num_bins
from lottery_jax.geometry.faces import sup_faces as sup_faces
from lottery_jax.geometry.hull_gap import Gap as Gap
from lottery_jax.geometry.hull_gap import hull_gap as hull_gap
from lottery_jax.geometry.plane import sup_plane as sup_plane
from lottery_jax.geometry.relu_sums import rounding_bound as rounding_bound
from lottery_jax.geometry.relu_sums import sup_on_sphere as sup_on_sphere
from lottery_jax.geometry.relu_sums import sup_over_ball as sup_over_ball
from lottery_jax.geometry.space import sup_space as sup_space
