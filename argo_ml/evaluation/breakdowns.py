"""Strategies by the difficulty of questions, and by how sure they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

from argo_ml.evaluation.record import ByDifficulty, Confidence, ReliabilityPoint
from argo_ml.evaluation.roles import is_calibrated, reports_p_hat
from argo_ml.evaluation.strategy_rows import answered, confidence
from argo_ml.results.metrics import reason_calls, retrieval_calls
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.statistics.confidence import reliability_bins
from argo_ml.types import Difficulty

N_BINS = 10


def by_difficulty(results: Results) -> tuple[ByDifficulty, ...]:
    """Means by cell, then from easy to hard; questions of no difficulty are left out."""
    return tuple(row for cell in results.cells for row in _of_cell(cell))


def reliability_points(results: Results) -> Mapping[str, tuple[ReliabilityPoint, ...]]:
    """The calibrated strategies whose answers all have a confidence, over all prices.

    Wilson's intervals take a question for another one at every price, so that they are too narrow.
    """
    points = {}
    for strategy in filter(is_calibrated, results.strategies):
        rows = answered([row for cell in results.row(strategy) for row in cell.questions])
        confidences = [row.confidence for row in rows if row.confidence is not None]
        if rows and len(confidences) == len(rows):
            points[strategy] = _points(confidences, [row.correct for row in rows])
    return points


def p_hat(results: Results) -> Confidence | None:
    """How good p-hat was in all states that it was computed in, each counted once for all prices.

    None where no strategy computed it.
    """
    by_state = {
        (row.question_id, row.actions[:n_steps]): (decision.confidence, decision.correct)
        for cell in results.cells
        if reports_p_hat(cell.strategy)
        for row in cell.questions
        for n_steps, decision in enumerate(row.decisions)
        if decision.confidence is not None and decision.correct is not None
    }
    if not by_state:
        return None
    confidences, correct = zip(*by_state.values(), strict=True)
    return confidence(confidences, correct)


def _of_cell(cell: CellResult) -> Iterator[ByDifficulty]:
    for difficulty in Difficulty:
        rows = [row for row in cell.questions if row.difficulty == difficulty.value]
        if rows:
            yield _means(cell, difficulty, rows)


def _means(cell: CellResult, difficulty: Difficulty, rows: list[QuestionResult]) -> ByDifficulty:
    return ByDifficulty(
        strategy=cell.strategy,
        retrieval_cost=cell.retrieval_cost,
        difficulty=difficulty.value,
        n=len(rows),
        accuracy=fmean(row.correct for row in rows),
        retrieve=fmean(map(retrieval_calls, rows)),
        reason=fmean(map(reason_calls, rows)),
    )


def _points(confidences: list[float], correct: list[bool]) -> tuple[ReliabilityPoint, ...]:
    return tuple(
        ReliabilityPoint(
            confidence=own.mean_confidence,
            accuracy=own.share_correct,
            low=own.interval.low,
            high=own.interval.high,
            n=own.n,
        )
        for own in reliability_bins(confidences, correct, N_BINS)
    )
