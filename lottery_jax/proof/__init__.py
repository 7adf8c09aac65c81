"""The proof of the lower bound as experiments: which steps hold, with what constants."""

from collections.abc import Mapping
from typing import Any

from lottery_jax.proof import chain, corners, exponents, families, kinks, process, rare

# In the order of the proof; each is a `study.Study` that also has `verdicts`.
STUDIES: Mapping[str, Any] = {
    module.NAME: module for module in (kinks, process, chain, families, rare, exponents, corners)
}
