"""What the scores of a sweep's gates buy, and what one retrieval does to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.evaluation.record import Effects, GateFrontiers, Point
from argo_ml.evaluation.roles import is_gate
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.question_rows import first_decided, row_flags
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.effects import effect_rates, retrieval_reduction
from argo_ml.statistics.frontiers import (
    FrontierPoint,
    RandomSplits,
    conservative_frontier,
    deployable_frontier,
    exact_frontier,
)
from argo_ml.statistics.resampling import SEED

BUDGETS = tuple(tenth / 10 for tenth in range(11))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Whether each question is answered right without retrieval and with one."""

    without: tuple[bool, ...]
    with_: tuple[bool, ...]


def outcomes(results: Results) -> Outcomes | None:
    """The outcomes by question; None where the sweep has not tried both."""
    without, with_ = results.row(NEVER), results.row(SINGLE)
    if not (without and with_):
        return None
    return Outcomes(_correct(without[0]), _correct(with_[0]))


def effects(results: Results) -> Effects | None:
    """What one retrieval does to answers; None where the sweep has not tried both."""
    tried = outcomes(results)
    if tried is None:
        return None
    rates = effect_rates(tried.without, tried.with_)
    return Effects(benefit=rates.benefit, harm=rates.harm, neutral=rates.neutral)


def gate_frontiers(
    results: Results, calibration_scores: Mapping[str, Sequence[float]]
) -> tuple[GateFrontiers, ...]:
    """One per gate whose scores are on record; none without outcomes of both kinds.

    A question's score is the same at all prices. Only a gate with ``calibration_scores`` has
    frontiers that could be deployed.
    """
    tried = outcomes(results)
    if tried is None:
        return ()
    return tuple(
        _frontiers(gate, scores, tried, calibration_scores.get(gate, ()))
        for gate in filter(is_gate, results.strategies)
        if (scores := _first_scores(results.row(gate)[0]))
    )


def _first_scores(cell: CellResult) -> tuple[float, ...]:
    """The score of the first decision about each question; none where a question has no score."""
    scores = first_decided(cell.questions, "score")
    return () if np.isnan(scores).any() else tuple(scores.tolist())


def _frontiers(
    gate: str, scores: Sequence[float], tried: Outcomes, calibration: Sequence[float]
) -> GateFrontiers:
    exact = exact_frontier(scores, tried.without, tried.with_, BUDGETS)
    accuracy = sum(tried.with_) / len(tried.with_)
    frontiers = GateFrontiers(
        gate=gate,
        exact=_points(exact),
        retrieval_reduction=retrieval_reduction(exact, accuracy, 1.0),
    )
    if not calibration:
        return frontiers
    columns = calibration, scores, tried.without, tried.with_, BUDGETS
    splits = RandomSplits.of([*calibration, *scores], len(calibration), seed=SEED)
    return frontiers.model_copy(
        update={
            "deployable": _points(deployable_frontier(*columns)),
            "conservative": _points(conservative_frontier(*columns)),
            "deployable_exceedance": _exceedance(splits, conservative=False),
            "conservative_exceedance": _exceedance(splits, conservative=True),
        }
    )


def _exceedance(splits: RandomSplits, *, conservative: bool) -> float:
    """The largest exceedance over the budgets between none and all."""
    return max(splits.exceedances(BUDGETS[1:-1], conservative=conservative))


def _points(points: Sequence[FrontierPoint]) -> tuple[Point, ...]:
    return tuple(
        Point(budget=point.budget, retrieval_share=point.retrieval_share, accuracy=point.accuracy)
        for point in points
    )


def _correct(cell: CellResult) -> tuple[bool, ...]:
    return tuple(row_flags(cell.questions, "correct"))
