"""Strategies by the difficulty of questions, and by how sure they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from argo_ml.evaluation.record import ByDifficulty, Confidence, ReliabilityPoint
from argo_ml.evaluation.roles import is_calibrated, reports_p_hat
from argo_ml.evaluation.strategy_rows import answer_confidences, confidence
from argo_ml.results.question_rows import action_counts, row_numbers, row_values
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.confidence import MIN_PER_DIAGRAM_BIN, reliability_bins
from argo_ml.types import Action, Difficulty

N_BINS = 10


def by_difficulty(results: Results) -> tuple[ByDifficulty, ...]:
    """Means by cell, then from easy to hard; questions of no difficulty are left out."""
    return tuple(row for cell in results.cells for row in _of_cell(cell))


def reliability_points(results: Results) -> Mapping[str, tuple[ReliabilityPoint, ...]]:
    """The calibrated strategies whose answers all have a confidence, at the middle price.

    Answers to one question at several prices are often the same answer, so that all prices
    together would count a question several times.
    """
    points = {}
    at = middle_price(results.prices)
    cells = [cell for cell in results.cells if cell.retrieval_cost == at]
    for cell in cells:
        strategy = cell.strategy
        if not is_calibrated(strategy):
            continue
        known = answer_confidences(cell.questions)
        if known is not None:
            points[strategy] = _points(*known)
    return points


def middle_price(prices: Sequence[float]) -> float:
    """What stands for all prices where there is room for one; of an even number the higher."""
    return sorted(prices)[len(prices) // 2]


def p_hat(results: Results) -> Confidence | None:
    """How good p-hat was in all states that it was computed in, each counted once for all prices.

    States of one question go together. None where no strategy computed it.
    """
    by_state = {
        (question_id, actions[:n_steps]): (decision.confidence, decision.correct)
        for cell in results.cells
        if reports_p_hat(cell.strategy)
        for question_id, actions, decisions in row_values(
            cell.questions, "question_id", "actions", "decisions"
        )
        for n_steps, decision in enumerate(decisions)
        if decision.confidence is not None and decision.correct is not None
    }
    if not by_state:
        return None
    confidences, correct = zip(*by_state.values(), strict=True)
    return confidence(confidences, correct, [question_id for question_id, _ in by_state])


def _of_cell(cell: CellResult) -> Iterator[ByDifficulty]:
    values = [value for (value,) in row_values(cell.questions, "difficulty")]
    difficulties = np.array(values, dtype=object)
    correct = row_numbers(cell.questions, "correct")
    retrieve, reason = (
        action_counts(cell.questions, action) for action in (Action.RETRIEVE, Action.REASON)
    )
    for difficulty in Difficulty:
        own = difficulties == difficulty.value
        if own.any():
            yield ByDifficulty(
                strategy=cell.strategy,
                retrieval_cost=cell.retrieval_cost,
                difficulty=difficulty.value,
                n=int(own.sum()),
                accuracy=fmean(correct[own]),
                retrieve=fmean(retrieve[own].tolist()),
                reason=fmean(reason[own].tolist()),
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
        for own in reliability_bins(confidences, correct, N_BINS, least=MIN_PER_DIAGRAM_BIN)
    )
