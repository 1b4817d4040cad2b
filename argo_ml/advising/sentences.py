"""An advice in three sentences: what to do, what it is worth, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.evaluation.advice import AdvisedRange, Certainty, PriceAdvice, Recommendation
from argo_ml.evaluation.advice_words import needed, signed
from argo_ml.evaluation.sentences import counted


def sentences(
    ranges: Sequence[AdvisedRange], prices: Sequence[PriceAdvice], judged_on: str, n: int
) -> tuple[str, str, str]:
    """Three sentences about ``n`` questions of the split ``judged_on``."""
    questions = f"the {counted(n, f'{judged_on} question')}"
    return what_to_do(ranges), what_it_is_worth(ranges, questions), what_would_change(prices, n)


def what_to_do(ranges: Sequence[AdvisedRange]) -> str:
    if len(ranges) == 1:
        prices = ranges[0].prices
        span = f"{prices[0]:g} to {prices[-1]:g}" if len(prices) > 1 else f"{prices[0]:g}"
        return f"{_named(ranges[0]).capitalize()} at every price looked at ({span} per retrieval)."
    parts = [
        f"{_named(own)} {_where(own)}{' per retrieval' if own.low is None else ''}"
        for own in ranges
    ]
    listed = ", ".join(parts)
    return f"{listed[0].upper()}{listed[1:]}."


def _named(own: AdvisedRange) -> str:
    return f"{own.recommendation.value} ({own.strategy})"


def _where(own: AdvisedRange) -> str:
    if own.low is None:
        return f"below {own.high:.3g}"
    return f"above {own.low:.3g}" if own.high is None else f"from {own.low:.3g} to {own.high:.3g}"


def what_it_is_worth(ranges: Sequence[AdvisedRange], questions: str) -> str:
    by_question = [own for own in ranges if own.recommendation is Recommendation.BY_QUESTION]
    if not by_question:
        widest = max(ranges, key=lambda own: len(own.prices))
        return (
            f"Deciding by the question earns no more than a fixed plan at any price; on "
            f"{questions} the utility of {widest.strategy} minus that of {widest.alternative} is "
            f"{signed(widest.gain)} {_at_prices(widest)}: {widest.certainty.value}."
        )
    own = max(by_question, key=lambda own: own.gain.mean)
    return (
        f"On {questions} the utility of {own.strategy} minus that of the best fixed plan "
        f"({own.alternative}) is {signed(own.gain)} {_at_prices(own)}, and it retrieves for "
        f"{100 * own.retrieval_share:.0f} % of them: {own.certainty.value}."
    )


def _at_prices(own: AdvisedRange) -> str:
    if len(own.prices) == 1:
        return f"at {own.prices[0]:g}"
    return f"on average at {own.prices[0]:g} to {own.prices[-1]:g}"


def what_would_change(prices: Sequence[PriceAdvice], n: int) -> str:
    unsettled = [at for at in prices if at.certainty is Certainty.OPEN]
    if not unsettled:
        return (
            f"{counted(n, 'question').capitalize()} settle it at every price: other questions, "
            "documents or another model would change it, not more of the same."
        )
    parts = [f"{at.retrieval_cost:g} ({needed(at)})" for at in unsettled]
    rest = "; at the other prices it is settled" if len(unsettled) < len(prices) else ""
    return f"Not settled at {', '.join(parts)}{rest}."
