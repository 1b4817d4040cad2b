"""What each strategy did at each price."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict

from argo_ml.evaluation.firing import fire_share, is_degenerate
from argo_ml.evaluation.judged_cells import JudgedCell
from argo_ml.evaluation.promises import WITHOUT_ANSWER
from argo_ml.evaluation.record import Confidence, StrategyRow
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, QuestionResult
from argo_ml.statistics.confidence import confidence_metrics
from argo_ml.statistics.intervals import Estimate


def strategy_rows(cells: Sequence[JudgedCell]) -> tuple[StrategyRow, ...]:
    """One row per cell, in the order given."""
    ceilings = {cell.price: cell for cell in cells if cell.is_ceiling}
    return tuple(_row(cell, ceilings.get(cell.price)) for cell in cells)


def answer_confidences(
    rows: Sequence[QuestionResult],
) -> tuple[list[float], list[bool]] | None:
    """How sure each answer was and whether it was right; None where one has no confidence.

    Questions without an answer are left out, and None is what comes of none with one.
    """
    columns = row_values(rows, "stop_reason", "confidence", "correct")
    answered = [
        (sure, correct) for reason, sure, correct in columns if reason not in WITHOUT_ANSWER
    ]
    confidences = [sure for sure, _ in answered if sure is not None]
    if not answered or len(confidences) < len(answered):
        return None
    return confidences, [correct for _, correct in answered]


def _row(cell: JudgedCell, ceiling: JudgedCell | None) -> StrategyRow:
    # Sweeps of earlier versions knew neither probes nor abstentions.
    metrics = {"probe_calls": 0.0, "sample_calls": 0.0, "stop_abstain": 0.0, **cell.result.metrics}
    share = fire_share(cell.result)
    return StrategyRow(
        strategy=cell.strategy,
        retrieval_cost=cell.price,
        is_fixed=cell.is_fixed,
        is_ceiling=cell.is_ceiling,
        n=len(cell.result.questions),
        accuracy=Estimate(
            mean=metrics["accuracy"],
            low=metrics["accuracy_ci_low"],
            high=metrics["accuracy_ci_high"],
        ),
        utility=cell.utility.estimate,
        cost=metrics["cost"],
        rc=metrics["retrieval_calls"],
        reason_calls=metrics["reason_calls"],
        lmc=metrics["lm_calls"],
        probe_calls=metrics["probe_calls"],
        sample_calls=metrics["sample_calls"],
        tokens=metrics["prompt_tokens"] + metrics["completion_tokens"],
        unparsed=metrics["unparsed"],
        abstained=metrics["stop_abstain"],
        fire_share=share,
        is_degenerate=is_degenerate(share),
        regret=ceiling and (ceiling.utility - cell.utility).estimate,
        confidence=None if cell.is_ceiling else _confidence(cell.result),
    )


def _confidence(cell: CellResult) -> Confidence | None:
    """None where an answer has none."""
    known = answer_confidences(cell.questions)
    return None if known is None else confidence(*known)


def confidence(
    confidences: Sequence[float],
    correct: Sequence[bool],
    questions: Sequence[Hashable] | None = None,
) -> Confidence:
    """How good confidences are, as the evaluation records it."""
    return Confidence(**asdict(confidence_metrics(confidences, correct, questions)))
