"""Results as pandas tables, one observation a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from argo_ml.calibration.record import Calibration
from argo_ml.evaluation.advice import Advice
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.results.study import StudyReport
from argo_ml.results.unit import unit_of
from argo_ml.types import Action

_OF_QUESTION = tuple(name for name in QuestionResult.model_fields if name != "decisions")


def question_frame(results: Results) -> pd.DataFrame:
    """One row per question, strategy and price.

    Columns: strategy, retrieval_cost, the fields of `QuestionResult` without its decisions, the
    number of retrievals and reasoning steps, and utility = correct - mu x cost; in a unit of the
    user's own also the price and what the utility is worth.
    """
    mu = float(results.spec["mu"])
    frames = [_questions_of(cell, mu) for cell in results.cells]
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return _with_own_unit(joined, results)


def _questions_of(cell: CellResult, mu: float) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame(
        list(row_values(cell.questions, *_OF_QUESTION)), columns=_OF_QUESTION
    )
    frame.insert(0, "strategy", cell.strategy)
    frame.insert(1, "retrieval_cost", cell.retrieval_cost)
    for column, action in (("retrievals", Action.RETRIEVE), ("reason_steps", Action.REASON)):
        frame[column] = [actions.count(action.value) for actions in frame["actions"]]
    frame["utility"] = frame["correct"].astype(float) - mu * frame["cost"]
    return frame


def cell_frame(results: Results) -> pd.DataFrame:
    """One row per strategy and price: its run and all its metrics, means over the questions."""
    frame: pd.DataFrame = pd.DataFrame(
        [
            {
                "strategy": cell.strategy,
                "retrieval_cost": cell.retrieval_cost,
                "run_id": cell.run_id,
                "n_questions": len(cell.questions),
                **cell.metrics,
            }
            for cell in results.cells
        ]
    )
    return _with_own_unit(frame, results)


def _with_own_unit(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    unit = unit_of(results.spec)
    if unit.is_own:
        prices = {share: unit.own_price(share) for share in results.prices}
        frame.insert(2, "price", frame["retrieval_cost"].map(prices))
        frame["worth"] = frame["utility"].map(unit.worth_of)
    return frame


def calibration_frame(calibration: Calibration) -> pd.DataFrame:
    """One row per explored question and plan, and whether its answer was right."""
    frame: pd.DataFrame = pd.DataFrame(
        [
            {
                "question_id": question.id,
                "question": question.text,
                "difficulty": question.difficulty,
                "plan": plan,
                "correct": correct,
            }
            for question in calibration.questions
            for plan, correct in question.outcomes.items()
        ]
    )
    return frame


def study_frame(report: StudyReport) -> pd.DataFrame:
    """One row per price: the best settings, and what they came to on both splits."""
    rows = [dict(_best_of(report, index)) for index in range(len(report.best))]
    frame: pd.DataFrame = pd.DataFrame(rows)
    return frame


def _best_of(report: StudyReport, index: int) -> Iterator[tuple[str, Any]]:
    best = report.best[index]
    yield from (("retrieval_cost", best.retrieval_cost), ("trial", best.trial))
    yield from (("run_id", best.run_id), *best.settings.items())
    scores: Mapping[str, Any] = {"tune": best.tune, "test": best.test}
    for split, score in scores.items():
        yield from ((f"{split}_{name}", value) for name, value in dict(score).items())
    yield "optimism", best.optimism


def recorded_frame(questions: Sequence[RecordedQuestion]) -> pd.DataFrame:
    """One row per recorded question and plan."""
    frame: pd.DataFrame = pd.DataFrame(
        [
            {
                "question_id": recorded.id,
                "question": recorded.question.text,
                "plan": plan,
                "answer": outcome.answer.text,
                "correct": outcome.correct,
                "prompt_tokens": outcome.course.usage.prompt_tokens,
                "completion_tokens": outcome.course.usage.completion_tokens,
                "seconds": outcome.course.usage.seconds,
                "cost": outcome.course.money,
            }
            for recorded in questions
            for plan, outcome in recorded.outcomes.items()
        ]
    )
    return frame


def advice_frame(advice: Advice) -> pd.DataFrame:
    """One row per price; ``price`` is in the unit of the advice, as are gains per question."""
    unit = advice.unit.shown
    frame: pd.DataFrame = pd.DataFrame(
        [
            {
                "price": unit.own_price(at.retrieval_cost) or at.retrieval_cost,
                "do": at.recommendation.value,
                "strategy": at.strategy,
                "alternative": at.alternative,
                "gain": unit.amount(at.gain.mean),
                "gain_ci_low": unit.amount(at.gain.low),
                "gain_ci_high": unit.amount(at.gain.high),
                "certainty": at.certainty.value,
                "n_more": at.n_more,
                "accuracy": at.accuracy.mean,
                "retrieval_share": at.retrieval_share,
            }
            for at in advice.prices
        ]
    )
    return frame
