"""The birth-death chain of Definition 4 by hand: rationals, and backward steps in log-space."""

import math
from fractions import Fraction

import numpy as np


def exact_laws(p, q, cap, steps):
    """The laws after 0, 1, ..., steps steps, in exact rationals of the given floats."""
    p, q = Fraction(p), Fraction(q)
    law = [Fraction(0)] * (cap + 1)
    law[1] = Fraction(1)
    laws = [law]
    for _ in range(steps):
        moved = [Fraction(0)] * (cap + 1)
        for state, mass in enumerate(law):
            rise = p if state < cap else Fraction(0)
            fall = q if state > 0 else Fraction(0)
            if rise:
                moved[state + 1] += rise * mass
            if fall:
                moved[state - 1] += fall * mass
            moved[state] += (1 - rise - fall) * mass
        law = moved
        laws.append(law)
    return laws


def exact_log(number):
    """Log of a positive rational, right to about 1e-15 of it even where a float underflows."""
    shift = number.numerator.bit_length() - number.denominator.bit_length()
    scaled = number / Fraction(2) ** shift
    return math.log(scaled) + shift * math.log(2)


def log_zero_backward(p, q, cap, steps, states=1400):
    """Log Pr(B_k = 0) by k steps of h(b) = Pr_b(B_k = 0), rescaled at every step.

    Right while the cap, if it is above 100, cannot be felt yet: then h falls with b faster than
    (q/p)**(b/2), and states far up do not matter.
    """
    stay = math.fsum((1, -p, -q))
    size = min(cap, states)
    h, log = np.zeros(size + 1), 0.0
    h[0] = 1
    for _ in range(steps):
        moved = stay * h
        moved[0] = (1 - p) * h[0]
        moved[-1] = (1 - q) * h[-1] if size == cap else 0.0
        moved[:-1] += p * h[1:]
        moved[1:] += q * h[:-1]
        top = moved[0]
        h, log = moved / top, log + math.log(top)
    return log + math.log(h[1])
