"""An advice in three sentences: what to do, what it is worth, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.evaluation.advice import AdvisedRange, Certainty, PriceAdvice
from argo_ml.evaluation.advice_words import needed, price_span
from argo_ml.evaluation.sentences import counted
from argo_ml.policies.strategies import find_strategy
from argo_ml.results.unit import Unit


def sentences(
    ranges: Sequence[AdvisedRange],
    prices: Sequence[PriceAdvice],
    questions: Questions,
    decides_by_question: bool,
    unit: Unit,
) -> tuple[str, str, str]:
    """Three sentences about the ``questions`` judged on; ``decides_by_question`` says whether a
    strategy ran that does not treat all of them alike."""
    wording = _Wording(unit, questions)
    return (
        wording.what_to_do(ranges),
        wording.what_it_is_worth(ranges, decides_by_question),
        wording.what_would_change(prices),
    )


@dataclass(frozen=True, slots=True)
class Questions:
    """``n`` questions of a split, which may be others than those chosen on."""

    split: str
    n: int
    are_others: bool

    def __str__(self) -> str:
        return f"the {counted(self.n, f'{self.split} question')}"


@dataclass(frozen=True, slots=True)
class _Wording:
    """The unit of prices and gains, and the questions that they are of."""

    unit: Unit
    questions: Questions

    def what_to_do(self, ranges: Sequence[AdvisedRange]) -> str:
        return _capitalized(f"{self._plan(ranges)}{_how_sure(ranges)}.")

    def _plan(self, ranges: Sequence[AdvisedRange]) -> str:
        if len(ranges) == 1:
            span = self._span(ranges[0].prices)
            return f"{_named(ranges[0])} at every price looked at ({span})"
        if len({own.recommendation for own in ranges}) == 1:
            span = self._span((ranges[0].prices[0], ranges[-1].prices[-1]))
            names = ", ".join(f"{own.strategy} {self._where(own)}" for own in ranges)
            what = ranges[0].recommendation.value
            return f"{what} at every price looked at ({span}): {names}"
        parts = [
            f"{_named(own)} {self._where(own)}{' per retrieval' if own.low is None else ''}"
            for own in ranges
        ]
        return ", ".join(parts)

    def _span(self, prices: Sequence[float]) -> str:
        ends = dict.fromkeys(map(self.unit.price, (prices[0], prices[-1])))
        return f"{' to '.join(ends)} per retrieval"

    def _where(self, own: AdvisedRange) -> str:
        span = price_span(own, self.unit)
        return span if None in (own.low, own.high) else f"from {span}"

    def what_it_is_worth(self, ranges: Sequence[AdvisedRange], decides_by_question: bool) -> str:
        by_question = [own for own in ranges if not find_strategy(own.strategy).treats_alike]
        if not by_question:
            widest = max(ranges, key=lambda own: len(own.prices))
            fixed = (
                "Deciding by the question earns no more than a fixed plan at any price"
                if decides_by_question
                else "Fixed plans alone were compared"
            )
            return (
                f"{fixed}; on {self.questions} {self._difference(widest)}: "
                f"{widest.certainty.words}."
            )
        own = max(by_question, key=lambda own: own.gain.mean)
        return (
            f"On {self.questions} {self._difference(own)}, and it retrieves for "
            f"{100 * own.retrieval_share:.0f} % of them: {own.certainty.words}."
        )

    def _difference(self, own: AdvisedRange) -> str:
        return (
            f"the utility of {own.strategy} minus that of {own.alternative} is "
            f"{self.unit.gain(own.gain)} per question {self._at_prices(own)}"
        )

    def _at_prices(self, own: AdvisedRange) -> str:
        if len(own.prices) == 1:
            return f"at {self.unit.price(own.prices[0])}"
        low, high = map(self.unit.price, (own.prices[0], own.prices[-1]))
        return f"on average at {low} to {high}"

    def what_would_change(self, prices: Sequence[PriceAdvice]) -> str:
        if not self.questions.are_others:
            return (
                "It was chosen on these very questions, which favors it: test questions, which "
                "were not asked, would tell."
            )
        unsettled = [at for at in prices if at.certainty is Certainty.OPEN]
        if not unsettled:
            questions = counted(self.questions.n, "question").capitalize()
            return (
                f"{questions} settle it at every price: other questions, documents or another "
                "model would change it, not more of the same."
            )
        parts = [f"{self.unit.price(at.retrieval_cost)} ({needed(at)})" for at in unsettled]
        rest = "; at the other prices it is settled" if len(unsettled) < len(prices) else ""
        return f"Not settled at {', '.join(parts)}{rest}."


def _how_sure(ranges: Sequence[AdvisedRange]) -> str:
    """Said at once where the questions settle no part of an advice."""
    is_open = all(own.certainty is Certainty.OPEN for own in ranges)
    return f": {Certainty.OPEN.value}" if is_open else ""


def _named(own: AdvisedRange) -> str:
    return f"{own.recommendation.value} ({own.strategy})"


def _capitalized(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
