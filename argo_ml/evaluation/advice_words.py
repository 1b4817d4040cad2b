"""How every place writes parts of an advice."""

from __future__ import annotations

from argo_ml.evaluation.advice import AdvisedRange, PriceAdvice
from argo_ml.results.unit import Unit, amount_text

MOST_QUESTIONS = 100_000
"""Numbers of further questions beyond which none would be collected."""


def price_span(own: AdvisedRange, unit: Unit) -> str:
    """``below 0.1``, ``0.1 to 0.3``, ``above 0.3``; ``any looked at`` where it is one alone."""
    if own.low is None:
        return "any looked at" if own.high is None else f"below {_end(own.high, unit)}"
    if own.high is None:
        return f"above {_end(own.low, unit)}"
    return f"{_end(own.low, unit)} to {_end(own.high, unit)}"


def _end(price: float, unit: Unit) -> str:
    """An interpolated price, to three digits."""
    return f"{amount_text(unit.amount(price), 3)} {unit.name}".rstrip()


def needed(at: PriceAdvice) -> str:
    """How many further questions would settle a price, in words."""
    if at.n_more is None:
        return f"{at.strategy} and {at.alternative} differ alike on all questions"
    if at.n_more > MOST_QUESTIONS:
        return "hardly any difference to tell"
    return f"{at.n_more:,} more test questions would tell"
