"""A cell's metrics, computed once for each time they are logged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from builders.planted_gate import Problem, planted_context, questions, sweep_spec

from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.results.metrics import CURVES
from argo_ml.sweep import cell_run as module
from argo_ml.sweep.cell_run import CellRun
from argo_ml.sweep.context import prepare_cells


class RecordingRun:
    """Stands for an MLflow run and keeps what is logged."""

    run_id = "a run"

    def __init__(self) -> None:
        self.steps: dict[int, Mapping[str, float]] = {}

    def log(self, metrics: Mapping[str, float], step: int, curves: Mapping[int, Any]) -> None:
        self.steps.update({**curves, step: metrics})


@pytest.fixture
def cell_run(tmp_path: Path) -> CellRun:
    """A cell with the results of four questions."""
    context = planted_context(Problem(), questions(0, 4), tmp_path)
    spec = sweep_spec(tmp_path, strategies="single", retrieval_costs="0.1", calibration="")
    [cell] = prepare_cells(spec.cells(), context)
    executor = context.executor([cell], "a sweep", StageTimes())
    [finished] = executor.run([Shard(0, context.questions.questions)], lambda count: None)
    run: Any = RecordingRun()
    made = CellRun(cell, run, n_shards=3)
    made.results.extend(finished.record.results[cell.id])
    return made


def test_progress_is_logged_at_each_step(cell_run: CellRun) -> None:
    cell_run.log_progress([1, 2, 4])

    steps = vars(cell_run.run)["steps"]
    assert sorted(steps) == [1, 2, 4]
    assert steps[2]["retrieval_calls"] == 1.0
    assert tuple(steps[4]) == CURVES


def test_one_shard_makes_no_curve(cell_run: CellRun) -> None:
    cell = CellRun(cell_run.cell, cell_run.run)
    cell.results.extend(cell_run.results)

    cell.log_progress([4])

    assert list(vars(cell.run)["steps"]) == [0]


def test_a_result_has_the_metrics_logged_last_without_computing_them_again(
    cell_run: CellRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell_run.log_progress([2, 4])
    monkeypatch.delattr(module, "cell_metrics")

    logged = vars(cell_run.run)["steps"][4]
    assert {name: cell_run.result().metrics[name] for name in logged} == logged


def test_results_that_came_after_the_last_log_count_in_the_result(cell_run: CellRun) -> None:
    cell_run.log_progress([2])

    assert cell_run.result().metrics["lm_calls_total"] > cell_run.metrics(2)["lm_calls_total"]


def test_a_finished_run_is_left_as_it_is(cell_run: CellRun) -> None:
    cell_run.finished = True

    cell_run.log_progress([4])

    assert vars(cell_run.run)["steps"] == {}
