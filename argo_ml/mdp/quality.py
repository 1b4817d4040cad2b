"""Quality of stopping: sigma(x) of the share of progress x = U / u_max in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable


def linear_quality(x: float, alpha: float) -> float:
    """x itself."""
    return x


def sqrt_quality(x: float, alpha: float) -> float:
    """The square root of x."""
    return math.sqrt(x)


def saturating_quality(x: float, alpha: float) -> float:
    """1 - exp(-alpha x): 0 at x = 0, below 1 at x = 1."""
    return -math.expm1(-alpha * x)


def sigmoid_quality(x: float, alpha: float) -> float:
    """1 / (1 + exp(-alpha (x - 1/2))): 1/2 at x = 1/2, above 0 at x = 0, below 1 at x = 1."""
    # The same function by tanh, which does not overflow for a steep alpha.
    return 0.5 * (1 + math.tanh(alpha * (x - 0.5) / 2))


QUALITIES: dict[str, Callable[[float, float], float]] = {
    "linear": linear_quality,
    "sqrt": sqrt_quality,
    "saturating": saturating_quality,
    "sigmoid": sigmoid_quality,
}
"""Name -> sigma(x, alpha); only the last two use the steepness ``alpha``."""
