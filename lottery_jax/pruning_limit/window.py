"""How sharp the limit is: the window of the approximate kinematic formula."""

import math


def window(size: int, failure: float = 0.01) -> float:
    """Half the width of the transition around delta / D, as a fraction of the D weights.

    Let C be a convex cone of statistical dimension delta in D dimensions, and V a random subspace,
    uniform over rotations, of dimension (1 - rho) D. Then

    - where rho <= delta / D - window, they share a ray with probability at least 1 - failure;
    - where rho >= delta / D + window, with probability at most failure.

    In between nothing is said. This is a statement on rotations of V for a C that is fixed. It says
    nothing on the error of the quadratic model, of the spectrum, or of taking the coordinates of a
    trained network for random directions; and for pruning, where V depends on the displacement,
    see `reoptimised`.

    Parameters
    ----------
    size
        D.
    failure
        eta, strictly between 0 and 1.

    Returns
    -------
    half_width
        sqrt(8 ln(4 / eta) / D). At 1 or above it says nothing.

    Raises
    ------
    ValueError
        For a size below 1 or a failure outside (0, 1).

    Notes
    -----
    Amelunxen, Lotz, McCoy and Tropp, Living on the edge (arXiv 1303.6672), theorem I: for
    delta(C) + dim V the two cases are separated by a_eta sqrt(D) to either side of D, with
    a_eta = sqrt(8 ln(4 / eta)).

    Examples
    --------
    >>> round(2 * window(3_880_000), 4)
    0.007
    """
    if size < 1 or not 0 < failure < 1:
        raise ValueError(f"{size=} must be at least 1, and {failure=} lie between 0 and 1")
    return math.sqrt(8 * math.log(4 / failure) / size)
