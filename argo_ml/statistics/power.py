"""What a number of questions can tell of a paired difference, by its observed spread."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from argo_ml.statistics.intervals import CONFIDENCE, ROUNDING, questions_to_see

POWER = 0.8
"""Chance that a difference of the size named is told from 0."""
_NO_SPREAD = 1e-12
_MOST_PAIRS = 10**15
"""A number beyond it is named as the one end alone takes it."""
_TAIL = float(special.ndtri((1.0 + CONFIDENCE) / 2))
_QUANTILES = _TAIL + float(special.ndtri(POWER))


def detectable_difference(differences: Sequence[float]) -> float | None:
    """Smallest mean difference that as many pairs tell from 0 with `POWER`, at the 5 % level.

    By the normal approximation, (z_0.975 + z_power) * s / sqrt(n) (Cohen 1988, section 2.4). None
    where all differences are equal or there is one alone: no spread was observed.
    """
    spread = _spread(differences)
    return _QUANTILES * spread / math.sqrt(len(differences)) if spread else None


def pairs_needed(differences: Sequence[float], difference: float) -> int | None:
    """Number of pairs that would tell ``difference``, None where no spread was observed."""
    if not difference > 0.0:
        raise ValueError(f"difference={difference}: needs more than 0")
    spread = _spread(differences)
    return math.ceil((_QUANTILES * spread / difference) ** 2) if spread else None


def pairs_to_settle(differences: Sequence[float], margin: float) -> int | None:
    """Number of pairs that would tell the sign of the observed mean, or that it is nearer to 0 than
    ``margin``, whichever takes fewer. None where no spread was observed.

    Each takes at least so many that what no pair has shown yet cannot outweigh it.
    """
    size = abs(float(np.mean(differences)))
    of_sign = pairs_needed(differences, size) if size > ROUNDING else None
    within = pairs_to_confine(differences, margin)
    told = ((of_sign, size), (within, margin))
    return min(
        (max(number, questions_to_see(least)) for number, least in told if number is not None),
        default=None,
    )


def pairs_to_confine(differences: Sequence[float], margin: float) -> int | None:
    """Number of pairs whose interval would lie between -``margin`` and ``margin`` with `POWER`.

    Both ends are to be excluded, as in two one-sided tests (Schuirmann 1987), by the normal
    approximation. None where the observed mean is not between them, or no spread was observed.
    """
    mean, spread = abs(float(np.mean(differences))), _spread(differences)
    if mean >= margin - ROUNDING or not spread:
        return None

    def is_likely(n: int) -> bool:
        scale = math.sqrt(n) / spread
        inside = special.ndtr((margin - mean) * scale - _TAIL)
        return bool(inside - special.ndtr(_TAIL - (margin + mean) * scale) >= POWER)

    # One end alone takes fewer, and both at once no more than twice as many.
    fewest = math.ceil((_QUANTILES * spread / (margin - mean)) ** 2)
    if fewest > _MOST_PAIRS:
        return fewest
    return fewest + bisect_left(range(fewest, 2 * fewest), True, key=is_likely)


def _spread(differences: Sequence[float]) -> float:
    """Standard deviation with n - 1; 0 of fewer than two, or of equal ones but for rounding."""
    spread = float(np.std(differences, ddof=1)) if len(differences) > 1 else 0.0
    return spread if spread > _NO_SPREAD else 0.0
