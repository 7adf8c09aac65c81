"""The ground floor: stream addresses, weight laws, counts and confidence limits."""

from lottery_jax.core.compat import enable_x64, make_mesh, use_all_cores
from lottery_jax.core.keys import STREAM_VERSION, check_key, root
from lottery_jax.core.laws import LAWS, Law, law
from lottery_jax.core.limits import limits_exact, limits_sequential, limits_wilson
from lottery_jax.core.tally import Tally

__all__ = [
    "LAWS",
    "STREAM_VERSION",
    "Law",
    "Tally",
    "check_key",
    "enable_x64",
    "law",
    "limits_exact",
    "limits_sequential",
    "limits_wilson",
    "make_mesh",
    "root",
    "use_all_cores",
]
