"""What was chosen, judged on other questions: what it gains, how sure that is, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from statistics import fmean

from argo_ml.advising.choosing import Choice
from argo_ml.evaluation.advice import AdvisedRange, Certainty, PriceAdvice, Recommendation
from argo_ml.evaluation.judged_cells import JudgedCell, judge_cells
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate, shows_spread, unseen_share, wilson
from argo_ml.statistics.permutation import UNSEEN
from argo_ml.statistics.power import pairs_to_settle
from argo_ml.statistics.resampling import Resampled, average
from argo_ml.statistics.sequential import MARGIN
from argo_ml.types import Action

NEARLY_ALL = 0.99
"""Share of questions from which on retrieving for them is retrieving always."""
Cells = Mapping[tuple[str, float], JudgedCell]


def confirm(
    choices: Sequence[Choice], results: Results, are_others: bool = True
) -> tuple[PriceAdvice, ...]:
    """The choices of all prices on the questions of ``results``, by price ascending.

    ``are_others`` says whether they are other questions than those chosen on, which settle nothing.
    """
    cells = {(cell.strategy, cell.price): cell for cell in judge_cells(results)}
    return tuple(_at_price(choice, cells, are_others) for choice in choices)


def _at_price(choice: Choice, cells: Cells, are_others: bool) -> PriceAdvice:
    price = choice.retrieval_cost
    chosen, other = cells[choice.strategy, price], cells[choice.alternative, price]
    if not chosen.is_fixed and chosen.acts_like(other):
        # It is no other method here than the plan.
        chosen, other = cells[choice.plan, price], cells[choice.opposite, price]
    certainty = certainty_of(chosen.utility - other.utility) if are_others else Certainty.OPEN
    if certainty is Certainty.REFUTED:
        chosen, other = other, chosen
    difference = chosen.utility - other.utility
    share = retrieval_share(chosen)
    return PriceAdvice(
        retrieval_cost=price,
        recommendation=recommendation_of(chosen, share),
        strategy=chosen.strategy,
        alternative=other.strategy,
        gain=difference.estimate,
        certainty=certainty,
        n_more=n_more_questions(difference) if certainty is Certainty.OPEN and are_others else None,
        accuracy=_accuracy(chosen),
        utility=chosen.utility.estimate,
        retrieval_share=share,
        retrievals=float(action_counts(chosen.result.questions, Action.RETRIEVE).mean()),
    )


def certainty_of(gain: Resampled) -> Certainty:
    if gain.sign:
        return Certainty.CONFIRMED if gain.sign > 0 else Certainty.REFUTED
    own = gain.estimate
    is_within = shows_spread(own.low, own.high) and own.low > -MARGIN and own.high < MARGIN
    is_small = is_within and unseen_share(len(gain.values)) * UNSEEN < MARGIN
    return Certainty.SMALL if is_small else Certainty.OPEN


def n_more_questions(difference: Resampled) -> int | None:
    """Further questions that would tell the sign of the difference, or that it matters less than
    `MARGIN`, in four of five such studies.

    None where no spread was seen: no number of questions is known to tell then.
    """
    needed = pairs_to_settle(list(difference.values), MARGIN)
    return None if needed is None else max(needed - len(difference.values), 1)


def retrieval_share(cell: JudgedCell) -> float:
    return float((action_counts(cell.result.questions, Action.RETRIEVE) > 0).mean())


def recommendation_of(cell: JudgedCell, share: float) -> Recommendation:
    if share >= NEARLY_ALL:
        return Recommendation.ALWAYS
    if share <= 1.0 - NEARLY_ALL:
        return Recommendation.NEVER
    return Recommendation.BY_QUESTION


def _accuracy(cell: JudgedCell) -> Estimate:
    n_right, n = round(float(cell.correct.values.sum())), len(cell.correct.values)
    interval = wilson(n_right, n)
    return Estimate(mean=n_right / n, low=interval.low, high=interval.high)


def advised_ranges(
    prices: Sequence[PriceAdvice], results: Results, are_others: bool = True
) -> tuple[AdvisedRange, ...]:
    """Neighboring prices of one strategy joined, with the prices between them where it changes."""
    cells = {(cell.strategy, cell.price): cell for cell in judge_cells(results)}
    groups = [list(own) for _, own in groupby(prices, lambda at: (at.strategy, at.recommendation))]
    ends = [None, *_changes(groups, cells), None]
    return tuple(
        _range(own, low, high, cells, are_others)
        for own, (low, high) in zip(groups, pairwise(ends), strict=True)
    )


def _changes(groups: Sequence[Sequence[PriceAdvice]], cells: Cells) -> Iterator[float]:
    """Where the utilities of two neighboring strategies cross, taken as straight between prices;
    halfway where they do not cross on these questions."""
    for below, above in pairwise(groups):
        low, high = below[-1].retrieval_cost, above[0].retrieval_cost
        at_low, at_high = (
            cells[below[-1].strategy, price].utility.mean
            - cells[above[0].strategy, price].utility.mean
            for price in (low, high)
        )
        share = at_low / (at_low - at_high) if at_low > 0.0 > at_high else 0.5
        yield low + share * (high - low)


def _range(
    own: Sequence[PriceAdvice],
    low: float | None,
    high: float | None,
    cells: Cells,
    are_others: bool,
) -> AdvisedRange:
    gain = average(
        [
            cells[at.strategy, at.retrieval_cost].utility
            - cells[at.alternative, at.retrieval_cost].utility
            for at in own
        ]
    )
    certainty = certainty_of(gain) if are_others else Certainty.OPEN
    if any(at.certainty is Certainty.REFUTED for at in own):
        certainty = Certainty.REFUTED
    return AdvisedRange(
        low=low,
        high=high,
        recommendation=own[0].recommendation,
        strategy=own[0].strategy,
        alternative=", then ".join(dict.fromkeys(at.alternative for at in own)),
        prices=tuple(at.retrieval_cost for at in own),
        gain=gain.estimate,
        certainty=certainty,
        accuracy=fmean(at.accuracy.mean for at in own),
        retrieval_share=fmean(at.retrieval_share for at in own),
    )
