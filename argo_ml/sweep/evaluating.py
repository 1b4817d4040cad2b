"""The evaluation of a sweep whose cells are done, and what its runs keep of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from argo_ml.calibration.record import Calibration
from argo_ml.config import SweepSpec
from argo_ml.escaping import markdown
from argo_ml.evaluation.calibration_metrics import calibration_metrics
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.artifacts import EVALUATION, FIGURES
from argo_ml.results.naming import described_questions
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate, shows_spread
from argo_ml.sweep.cell_run import CellRun
from argo_ml.sweep.cells import Cell
from argo_ml.tracking.runs import DEGENERATE, TrackedRun

SHOWN_FIGURES = ("price_utility", "accuracy_retrievals")
"""Figures of a sweep that its description shows."""


@runtime_checkable
class ScoredPolicy(Protocol):
    """A policy that has scored the questions of its calibration, by models that had not seen
    them."""

    @property
    def calibration_scores(self) -> tuple[float, ...]: ...


def evaluate_sweep(
    spec: SweepSpec, results: Results, cells: Sequence[Cell], calibration: Calibration | None
) -> Evaluation:
    if calibration is None:
        return evaluate(results)
    return evaluate(
        results,
        gate_scores=calibration_scores(cells),
        calibration_metrics=calibration_metrics(calibration),
        calibration_run=spec.calibration,
        calibration_difficulty=calibration.asked_difficulty,
    )


def calibration_scores(cells: Sequence[Cell]) -> dict[str, tuple[float, ...]]:
    """Each gate's scores of the calibration's questions; they are the same at all prices."""
    return {
        cell.spec.strategy: cell.policy.calibration_scores
        for cell in cells
        if isinstance(cell.policy, ScoredPolicy)
    }


def store_evaluation(evaluation: Evaluation, run: TrackedRun, cell_runs: Sequence[CellRun]) -> None:
    """Store the whole and its few metrics on the sweep's run, and on gates' how often they fire."""
    with tempfile.TemporaryDirectory() as folder:
        text = evaluation.model_dump_json(indent=1)
        (Path(folder) / EVALUATION).write_text(text, encoding="utf-8")
        run.log_folder(Path(folder))
    run.log(metrics=evaluation_metrics(evaluation))
    by_cell = {(run.cell.spec.strategy, run.cell.spec.retrieval_cost): run for run in cell_runs}
    for row in evaluation.rows:
        if row.fire_share is not None:
            by_cell[row.strategy, row.retrieval_cost].run.log(
                metrics={"fire_share": row.fire_share},
                tags={DEGENERATE: "true"} if row.is_degenerate else {},
            )


def evaluation_metrics(evaluation: Evaluation) -> Mapping[str, float]:
    """The metrics of the sweep's run: the break-even price of one retrieval and what it does to
    answers, and the gain of deciding by the question, where each was tried."""
    once = [own for own in evaluation.break_evens if (own.more, own.fewer) == (SINGLE, NEVER)]
    metrics: dict[str, float] = {}
    for own in once:
        metrics |= _with_interval("break_even_price", own.price)
        metrics |= {"retrieval_corrects": own.corrected, "retrieval_spoils": own.spoiled}
    if evaluation.headline is not None:
        metrics |= _with_interval("adaptive_gain", evaluation.headline.gain)
    return metrics


def _with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    """Its ends are left out where they say nothing of the uncertainty."""
    if not shows_spread(estimate.low, estimate.high):
        return {name: estimate.mean}
    low, high = f"{name}_ci_low", f"{name}_ci_high"
    return {name: estimate.mean, low: estimate.low, high: estimate.high}


def description(evaluation: Evaluation, results: Results) -> str:
    """The run's description in Markdown: the conclusion first, then what the run is of."""
    made_of = (
        f"{len(results.strategies)} strategies x {len(results.prices)} retrieval costs on "
        f"{described_questions(results)} with {results.spec['model']}."
    )
    lines = (*evaluation.conclusion, made_of)
    return "\n\n".join(map(markdown, lines))


def shown_figures(sweep_id: str) -> str:
    """What the description ends with, in Markdown."""
    return " ".join(_image(sweep_id, name) for name in SHOWN_FIGURES)


def _image(run_id: str, name: str) -> str:
    """A figure among the run's artifacts, as MLflow's own interface serves it.

    An SVG is as wide as it was drawn; the PNG is wider than the page, and its text would run over.
    """
    path = quote(f"{FIGURES}/{name}.svg", safe="")
    return f"![{name}](get-artifact?path={path}&run_uuid={run_id})"
