"""The MLflow run of one trial: a child of the study's run that ends as its trial does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import TrialState

from argo_ml.config import StudySpec
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.records import QuestionResult
from argo_ml.results.study import TRIAL
from argo_ml.study.objectives import Objective, valuation_at, values
from argo_ml.sweep.cells import Cell
from argo_ml.tracking import runs
from argo_ml.tracking.runs import TrackedRun, Tracking

TRIAL_STATE = "argo.trial_state"
STUDY_ID = "argo.study_id"
STATUSES: Mapping[TrialState, str] = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "FINISHED",
    TrialState.FAIL: "FAILED",
}
"""MLflow's status for what Optuna says; a trial whose worker died is KILLED instead of FAILED."""


def start(tracking: Tracking, study_run: TrackedRun, number: int) -> TrackedRun:
    tags = {runs.KIND: "trial", TRIAL: str(number), STUDY_ID: study_run.run_id}
    return tracking.create_child(study_run, f"trial {number}", tags)


def store(
    run: TrackedRun,
    objective: Objective,
    metrics: Mapping[str, float],
    curve: Mapping[int, Sequence[float]],
    state: TrialState,
) -> None:
    """Log what the trial came to in one request, and end its run.

    ``metrics`` are its `trial_metrics`, and ``curve`` has the objective's values by the number of
    questions they are of.
    """
    points: dict[int, dict[str, float]] = {
        step: dict(zip(objective.names, reached, strict=True)) for step, reached in curve.items()
    }
    if points:
        metrics = {name: own for name, own in metrics.items() if name not in objective.names}
    run.log(metrics=metrics, tags={TRIAL_STATE: state.name}, curves=points)
    run.end(STATUSES[state])


def trial_metrics(
    spec: StudySpec, objective: Objective, cell: Cell, rows: Sequence[QuestionResult]
) -> dict[str, float]:
    """The metrics of a cell at the study's first price, the objective's values, and each price's
    utility where there are several."""
    metrics = cell_metrics(rows, spec.mu, cell.table)
    metrics["questions"] = float(len(rows))
    metrics |= dict(zip(objective.names, values(objective, rows), strict=True))
    if len(spec.retrieval_costs) > 1:
        for price in spec.retrieval_costs:
            metrics[utility_metric(price)] = valuation_at(spec, price).mean_utility(rows)
    return metrics


def utility_metric(retrieval_cost: float) -> str:
    return f"utility_c_r_{retrieval_cost:g}"
