"""The evaluation of a sweep, computed from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.breakdowns import by_difficulty, p_hat, reliability_points
from argo_ml.evaluation.caveats import Judgement, caveats
from argo_ml.evaluation.contrasts import contrasts
from argo_ml.evaluation.further import further_lines, further_questions
from argo_ml.evaluation.gains import gain_bins
from argo_ml.evaluation.gate_frontiers import effects, gate_frontiers
from argo_ml.evaluation.headline import has_measured_progress, headline, question
from argo_ml.evaluation.judged_cells import JudgedCell, judge_cells, mean_utilities
from argo_ml.evaluation.limits import limits
from argo_ml.evaluation.price_ranges import price_ranges
from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.sentences import answer_lines
from argo_ml.evaluation.strategy_rows import strategy_rows
from argo_ml.policies import ALL_STRATEGIES
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of
from argo_ml.statistics.resampling import shared_draws

NOTHING: Mapping[str, float] = MappingProxyType({})
NO_SCORES: Mapping[str, Sequence[float]] = MappingProxyType({})


def reexamined(evaluation: Evaluation, results: Results) -> Evaluation:
    """A stored evaluation with its tests, and what is counted by question, made anew.

    Earlier versions gave p-values below what n allows, and took a question for another one at
    every price. Where a strategy is not
    installed here, nothing can be said of its part, and all stays as it is.
    """
    if any(strategy not in ALL_STRATEGIES for strategy in results.strategies):
        return evaluation
    return evaluation.model_copy(
        update={
            "contrasts": contrasts(judge_cells(results)),
            "reliability": reliability_points(results),
            "gains": gain_bins(results),
            "p_hat": p_hat(results),
        }
    )


def evaluate(
    results: Results,
    gate_scores: Mapping[str, Sequence[float]] = NO_SCORES,
    calibration_metrics: Mapping[str, float] = NOTHING,
    calibration_run: str = "",
    calibration_difficulty: str = "",
) -> Evaluation:
    """Everything that the record has; parts that a sweep has no data for stay empty.

    ``gate_scores`` are by gate those of the calibration's questions, and the other three what the
    calibration is. Raises ValueError where cells were not asked the same questions.
    """
    with shared_draws():
        return _evaluate(
            results, gate_scores, calibration_metrics, calibration_run, calibration_difficulty
        )


def _evaluate(
    results: Results,
    gate_scores: Mapping[str, Sequence[float]],
    calibration_metrics: Mapping[str, float],
    calibration_run: str,
    calibration_difficulty: str,
) -> Evaluation:
    cells = judge_cells(results)
    evaluation = Evaluation(
        sweep_id=results.sweep_id,
        **_conclusion(results, cells, calibration_metrics),
        n_questions=len(results.cells[0].questions),
        floors=results.floors,
        prices=results.prices,
        rows=strategy_rows(cells),
        contrasts=contrasts(cells),
        effects=effects(results),
        frontiers=gate_frontiers(results, gate_scores),
        gains=gain_bins(results),
        by_difficulty=by_difficulty(results),
        reliability=reliability_points(results),
        p_hat=p_hat(results),
        calibration_run=calibration_run,
        calibration=calibration_metrics,
    )
    judgement = Judgement(evaluation, results, calibration_difficulty)
    return evaluation.model_copy(update={"caveats": caveats(judgement)})


def with_conclusion(evaluation: Evaluation, results: Results) -> Evaluation:
    """An evaluation of an earlier version with what this one concludes from the same results."""
    return evaluation.model_copy(
        update=_conclusion(results, judge_cells(results), evaluation.calibration)
    )


def _conclusion(
    results: Results, cells: Sequence[JudgedCell], calibration: Mapping[str, float]
) -> dict[str, Any]:
    """What was asked, what came out, and the numbers that say so."""
    first = headline(cells, has_measured_progress(results))
    prices, ranges = break_evens(results), price_ranges(cells)
    n_calibration = calibration.get("n_questions")
    further = further_questions(
        cells,
        first.strategy if first else None,
        None if n_calibration is None else int(n_calibration),
    )
    return {
        "question": question(results),
        "answer": "\n".join(answer_lines(prices, ranges, first, results)),
        "break_evens": prices,
        "price_ranges": ranges,
        "mean_utilities": mean_utilities(cells),
        "limits": (*limits(results, cells), *further_lines(further, unit_of(results.spec))),
        "headline": first,
        "further_questions": further,
    }
