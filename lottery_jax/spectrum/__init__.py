"""Spectra of symmetric matrices known by their products with vectors."""

from lottery_jax.spectrum.density import density_of as density_of
from lottery_jax.spectrum.density import share_below as share_below
from lottery_jax.spectrum.estimate import estimate_spectrum as estimate_spectrum
from lottery_jax.spectrum.estimate import spectrum_from as spectrum_from
from lottery_jax.spectrum.memory import memory_of as memory_of
from lottery_jax.spectrum.operator import Operator as Operator
from lottery_jax.spectrum.operator import dense as dense
from lottery_jax.spectrum.operator import diagonal as diagonal
from lottery_jax.spectrum.quadrature import Estimate as Estimate
from lottery_jax.spectrum.quadrature import Spectrum as Spectrum
from lottery_jax.spectrum.quadrature import mean_of as mean_of
