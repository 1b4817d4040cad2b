"""The price of a retrieval up to which retrieving pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from argo_ml.evaluation.judged_cells import acts_alike_at_all_prices
from argo_ml.evaluation.record import BreakEven
from argo_ml.policies.always_retrieve import ALWAYS_RETRIEVE
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.question_rows import action_counts, row_flags, row_numbers
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.columns import Column
from argo_ml.statistics.effects import effect_rates
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import ratio, resample
from argo_ml.types import Action


def break_evens(results: Results) -> tuple[BreakEven, ...]:
    """One retrieval against none, and retrieving always against one, where both sides ran.

    Retrieving always is compared with none where one retrieval did not run. A strategy that acts
    differently at other prices is taken as it acts at the lowest.
    """
    computed = (
        _between(results.row(more), results.row(fewer), float(results.spec["mu"]))
        for more, fewer in _pairs(set(results.strategies))
    )
    return tuple(own for own in computed if own is not None)


def break_even(more: CellResult, fewer: CellResult, mu: float) -> BreakEven | None:
    """The price at which ``more`` and ``fewer`` are equally useful; None where there is none.

    Utility is accuracy - mu * (price * retrievals + the cost of all else), so that it is what
    accuracy gains, less mu times what all else costs more, by mu times the retrievals more. The
    interval is of that ratio, bootstrapped over questions. Nothing is equally useful at a price
    where no more is retrieved, or where ``mu`` gives prices no weight.
    """
    retrievals = _retrievals(more) - _retrievals(fewer)
    if mu <= 0.0 or retrievals.mean() <= 0.0:
        return None
    gained = np.subtract(_correct(more), _correct(fewer), dtype=float)
    gains = gained / mu - (_other_cost(more) - _other_cost(fewer))
    effects = effect_rates(_correct(fewer), _correct(more))
    return BreakEven(
        more=more.strategy,
        fewer=fewer.strategy,
        price=_price(gains, retrievals),
        accuracy_more=fmean(_correct(more)),
        accuracy_fewer=fmean(_correct(fewer)),
        retrievals_more=float(_retrievals(more).mean()),
        corrected=effects.benefit,
        spoiled=effects.harm,
    )


def _pairs(ran: set[str]) -> Iterator[tuple[str, str]]:
    if {NEVER, SINGLE} <= ran:
        yield SINGLE, NEVER
    fewer = SINGLE if SINGLE in ran else NEVER
    if {ALWAYS_RETRIEVE, fewer} <= ran:
        yield ALWAYS_RETRIEVE, fewer


def _between(
    more: Sequence[CellResult], fewer: Sequence[CellResult], mu: float
) -> BreakEven | None:
    """Of rows of cells, by price ascending."""
    computed = break_even(more[0], fewer[0], mu)
    if computed is None or acts_alike_at_all_prices(more):
        return computed
    return computed.model_copy(update={"acts_as_at": more[0].retrieval_cost})


def _price(gains: Column, retrievals: Column) -> Estimate:
    if np.ptp(gains) == 0.0 and np.ptp(retrievals) == 0.0:
        exact = float(gains[0] / retrievals[0])
        return Estimate(mean=exact, low=exact, high=exact)
    return ratio(*resample([gains, retrievals]))


def _correct(cell: CellResult) -> list[bool]:
    return row_flags(cell.questions, "correct")


def _retrievals(cell: CellResult) -> Column:
    return action_counts(cell.questions, Action.RETRIEVE).astype(float)


def _other_cost(cell: CellResult) -> Column:
    """What each question cost but for its retrievals."""
    return row_numbers(cell.questions, "cost") - cell.retrieval_cost * _retrievals(cell)
