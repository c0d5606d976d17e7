"""Intervals of means, with conversations as the unit."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

# Up to here by exact sums, beyond by a series that is right to nine digits there.
EXACT_DEGREES = 200


@cache
def t_quantile(degrees: int) -> float:
    """Return the 0.975 quantile of Student's t, for two-sided intervals of 95 %.

    Args:
        degrees: Degrees of freedom, at least 1.

    Source: the sums for whole degrees and the expansion for many are 26.7.3, 26.7.4
    and 26.7.5 in Abramowitz and Stegun (1964), Handbook of Mathematical Functions.
    """
    if degrees < 1:
        raise ValueError(f"A t distribution has at least 1 degree, not {degrees}.")
    if degrees > EXACT_DEGREES:
        z = NormalDist().inv_cdf(0.975)
        terms: tuple[float, ...] = (
            z,
            (z**3 + z) / 4,
            (5 * z**5 + 16 * z**3 + 3 * z) / 96,
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
            (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
        )
        return math.fsum(term / degrees**power for power, term in enumerate(terms))
    # As an angle, whose tangent times the root of the degrees is t.
    low, high = 0.0, math.pi / 2
    while (middle := (low + high) / 2) not in (low, high):
        if _share_within(middle, degrees) < 0.95:
            low = middle
        else:
            high = middle
    return math.tan(low) * math.sqrt(degrees)


def _share_within(angle: float, degrees: int) -> float:
    """Return the probability that |t| is below tan(angle) * sqrt(degrees)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    is_odd = degrees % 2
    term = cosine if is_odd else 1.0
    total = term if degrees > 1 else 0.0
    for power in range(3 if is_odd else 2, degrees - 1, 2):
        term *= cosine**2 * (power - 1) / power
        total += term
    return (angle + sine * total) * 2 / math.pi if is_odd else sine * total


def t_quantiles(most: int) -> list[float]:
    """Return the quantiles of 1, 2, 3, … degrees of freedom: at least the first one.

    Args:
        most: The number of values in the largest sample.
    """
    return [t_quantile(degrees) for degrees in range(1, max(most, 2))]
