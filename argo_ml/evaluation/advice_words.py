"""How every place writes parts of an advice."""

from __future__ import annotations

from argo_ml.evaluation.advice import AdvisedRange, PriceAdvice
from argo_ml.statistics.intervals import Estimate

MOST_QUESTIONS = 100_000
"""Numbers of further questions beyond which none would be collected."""


def signed(gain: Estimate) -> str:
    """``+0.031 [+0.004, +0.058]``"""
    return f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def price_span(own: AdvisedRange) -> str:
    """``below 0.1``, ``0.1 to 0.3``, ``above 0.3`` or, where nothing else is advised, ``any``."""
    if own.low is None:
        return "any looked at" if own.high is None else f"below {own.high:.3g}"
    return f"above {own.low:.3g}" if own.high is None else f"{own.low:.3g} to {own.high:.3g}"


def needed(at: PriceAdvice) -> str:
    """How many further questions would settle a price, in words."""
    if at.n_more is None:
        return f"{at.strategy} and {at.alternative} do not differ here"
    if at.n_more > MOST_QUESTIONS:
        return "hardly any difference to tell"
    return f"{at.n_more:,} more test questions would tell"
