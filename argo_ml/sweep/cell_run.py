"""The MLflow run of one cell: parameters at the start, curves as it goes, artifacts at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_ml.config import identity_fields
from argo_ml.reporting.figures import save_cell_figures
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.records import CellResult, QuestionResult
from argo_ml.sweep.cells import Cell
from argo_ml.tracking import runs
from argo_ml.tracking.runs import InputDataset, TrackedRun

TRAJECTORIES = "trajectories.jsonl"


class CellRun:
    """``finished`` runs are left untouched: their numbers are stored already."""

    def __init__(self, cell: Cell, run: TrackedRun, finished: bool = False) -> None:
        self.cell = cell
        self.run = run
        self.finished = finished
        self.results: list[QuestionResult] = []

    def start(self, digests: Mapping[str, str], inputs: Sequence[InputDataset]) -> None:
        cell = self.cell
        params: dict[str, object] = {**identity_fields(cell.spec), **digests}
        params["theta_cont"] = cell.table.theta_cont
        params["theta_star"] = cell.table.theta_star
        params["max_new_tokens"] = cell.spec.generation_limit
        params["n_questions"] = cell.spec.question_limit
        self.run.log(params=params)
        self.run.log_inputs(inputs)

    def _metrics(self, results: Sequence[QuestionResult]) -> dict[str, float]:
        return cell_metrics(results, self.cell.spec.mu, self.cell.table)

    def progress_logger(self, steps: Sequence[int]) -> Callable[[], None]:
        """What logs the metrics of the first so many results, for each of ``steps``, the numbers of
        questions done; also later and in another thread."""
        if self.finished:
            return lambda: None
        results = tuple(self.results)

        def log() -> None:
            *earlier, last = steps
            self.run.log(
                metrics=self._metrics(results[:last]),
                step=last,
                earlier={step: self._metrics(results[:step]) for step in earlier},
            )

        return log

    def finish(self, folder: Path, usage: Mapping[str, float]) -> None:
        """Store the artifacts, among them the trajectories already in ``folder``, and end.

        ``usage`` is the metrics of the devices; as they differ from run to run, they are kept with
        the run alone and in no result.
        """
        if self.finished:
            return
        store_outcomes(self.run, self.result(), folder, usage)
        self.run.end()
        self.finished = True

    def result(self) -> CellResult:
        return CellResult(
            cell_id=self.cell.id,
            run_id=self.run.run_id,
            strategy=self.cell.spec.strategy,
            retrieval_cost=self.cell.spec.retrieval_cost,
            metrics=self._metrics(self.results),
            policy=self.cell.table,
            questions=tuple(self.results),
        )


def store_outcomes(
    run: TrackedRun, result: CellResult, folder: Path, usage: Mapping[str, float] | None = None
) -> None:
    """Log ``folder`` with the figures of a cell and its table of outcomes, and ``usage``."""
    save_cell_figures(result, folder / "figures")
    table = _outcomes_table(result.questions)
    (folder / runs.OUTCOMES_TABLE).write_text(json.dumps(table), encoding="utf-8")
    run.log_folder(folder)
    logged = [{"path": runs.OUTCOMES_TABLE, "type": "table"}]
    tags = {"mlflow.loggedArtifacts": json.dumps(logged)}
    run.log(metrics=usage, tags=tags, step=len(result.questions))


def cell_tags(cell: Cell, sweep_id: str = "") -> dict[str, str]:
    spec = cell.spec
    note = (
        f"`{spec.strategy}` at retrieval cost {spec.retrieval_cost:g} (reasoning step "
        f"{spec.reason_cost:g}) on {spec.difficulty} {spec.dataset} questions with {spec.model}."
    )
    tags = {runs.KIND: "cell", runs.CELL_ID: cell.id, runs.NOTE: note}
    return {**tags, runs.SWEEP_ID: sweep_id} if sweep_id else tags


def _outcomes_table(results: Sequence[QuestionResult]) -> dict[str, Any]:
    """MLflow's table format: what `mlflow.load_table` reads and the UI shows."""
    rows = [row.model_dump(mode="json") for row in results]
    for row in rows:
        row["actions"] = " ".join(row["actions"])
        row["decisions"] = json.dumps(row["decisions"])
    columns = list(QuestionResult.model_fields)
    return {"columns": columns, "data": [list(row.values()) for row in rows]}
