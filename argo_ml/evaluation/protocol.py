"""The evaluation of a sweep, computed from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from argo_ml.evaluation.breakdowns import by_difficulty, p_hat, reliability_points
from argo_ml.evaluation.caveats import Judgement, caveats
from argo_ml.evaluation.contrasts import contrasts
from argo_ml.evaluation.gains import gain_bins
from argo_ml.evaluation.gate_frontiers import effects, gate_frontiers
from argo_ml.evaluation.headline import answer, headline, question
from argo_ml.evaluation.judged_cells import areas, judge_cells
from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.strategy_rows import strategy_rows
from argo_ml.results.records import Results

NOTHING: Mapping[str, float] = MappingProxyType({})
NO_SCORES: Mapping[str, Sequence[float]] = MappingProxyType({})


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
    cells = judge_cells(results)
    result = headline(cells)
    evaluation = Evaluation(
        sweep_id=results.sweep_id,
        question=question(results),
        answer=answer(result, cells),
        n_questions=len(results.cells[0].questions),
        floors=results.floors,
        prices=results.prices,
        rows=strategy_rows(cells),
        contrasts=contrasts(cells),
        areas=areas(cells),
        effects=effects(results),
        frontiers=gate_frontiers(results, gate_scores),
        gains=gain_bins(results),
        by_difficulty=by_difficulty(results),
        reliability=reliability_points(results),
        p_hat=p_hat(results),
        calibration_run=calibration_run,
        calibration=calibration_metrics,
        headline=result,
    )
    judgement = Judgement(evaluation, results, calibration_difficulty)
    return evaluation.model_copy(update={"caveats": caveats(judgement)})
