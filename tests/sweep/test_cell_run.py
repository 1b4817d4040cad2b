"""A cell's metrics, summed up shard by shard, and the points of its curves."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from builders.planted_gate import Problem, planted_context, questions, sweep_spec

from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.results.metrics import CURVES, cell_metrics
from argo_ml.results.records import QuestionResult
from argo_ml.sweep.cell_run import (
    MOST_POINTS,
    CellRun,
    cell_tags,
    check_same_cells,
    curve_steps,
    is_curve_point,
)
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import prepare_cells
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.runs import KIND, NOTE, Tracking, connect


class RecordingRun:
    """Stands for an MLflow run and keeps what is logged."""

    run_id = "a run"

    def __init__(self) -> None:
        self.steps: dict[int, Mapping[str, float]] = {}

    def log(self, metrics: Mapping[str, float], step: int, curves: Mapping[int, Any]) -> None:
        self.steps.update({**curves, step: metrics})


@pytest.fixture
def cell_and_rows(tmp_path: Path) -> tuple[Cell, list[QuestionResult]]:
    """A cell with the rows of four questions."""
    context = planted_context(Problem(), questions(0, 4), tmp_path)
    spec = sweep_spec(tmp_path, strategies="single", retrieval_costs="0.1", calibration="")
    [cell] = prepare_cells(spec.cells(), context)
    executor = context.executor([cell], "a sweep", StageTimes())
    [finished] = executor.run([Shard(0, context.questions.questions)], lambda count: None)
    return cell, finished.record.results[cell.id]


def taken(cell: Cell, rows: Sequence[QuestionResult], n_shards: int) -> CellRun:
    """A cell's run that has taken shards of one row each."""
    run: Any = RecordingRun()
    made = CellRun(cell, run, n_shards)
    for row in rows:
        made.add([row])
    return made


def steps(cell_run: CellRun) -> dict[int, Mapping[str, float]]:
    return dict(vars(cell_run.run)["steps"])


def test_progress_is_logged_after_every_shard(
    cell_and_rows: tuple[Cell, list[QuestionResult]],
) -> None:
    cell_run = taken(*cell_and_rows, n_shards=4)

    cell_run.log_progress()

    assert sorted(steps(cell_run)) == [1, 2, 3, 4]
    assert steps(cell_run)[2]["retrieval_calls"] == 1.0
    assert tuple(steps(cell_run)[4]) == CURVES


def test_the_points_are_the_metrics_of_all_rows_until_then(
    cell_and_rows: tuple[Cell, list[QuestionResult]],
) -> None:
    cell, rows = cell_and_rows
    cell_run = taken(cell, rows, n_shards=4)

    cell_run.log_progress()

    for n_rows in (1, 2, 3, 4):
        recomputed = cell_metrics(rows[:n_rows], cell.spec.mu, cell.table)
        assert steps(cell_run)[n_rows] == {name: recomputed[name] for name in CURVES}


def test_a_point_is_logged_once(cell_and_rows: tuple[Cell, list[QuestionResult]]) -> None:
    cell_run = taken(*cell_and_rows, n_shards=4)
    cell_run.log_progress()
    vars(cell_run.run)["steps"].clear()

    cell_run.log_progress()

    assert steps(cell_run) == {}


def test_points_that_the_store_did_not_take_are_logged_with_the_next(
    cell_and_rows: tuple[Cell, list[QuestionResult]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, rows = cell_and_rows
    cell_run = taken(cell, rows[:2], n_shards=4)

    def refuse(*_: Any, **__: Any) -> None:
        raise TrackingError("nothing answers")

    with monkeypatch.context() as patch, pytest.raises(TrackingError):
        patch.setattr(RecordingRun, "log", refuse)
        cell_run.log_progress()
    cell_run.add([rows[2]])
    cell_run.log_progress()

    assert sorted(steps(cell_run)) == [1, 2, 3]


def test_one_shard_makes_no_curve(cell_and_rows: tuple[Cell, list[QuestionResult]]) -> None:
    cell, rows = cell_and_rows
    cell_run = taken(cell, [], n_shards=1)
    cell_run.add(rows)

    cell_run.log_progress()

    assert list(steps(cell_run)) == [0]


def test_curves_of_many_shards_have_a_bounded_number_of_points_and_the_last() -> None:
    points = [n_taken for n_taken in range(1, 2001) if is_curve_point(n_taken, 2000)]

    assert len(points) == MOST_POINTS
    assert points[-1] == 2000


def test_a_result_has_the_metrics_of_its_rows(
    cell_and_rows: tuple[Cell, list[QuestionResult]],
) -> None:
    cell, rows = cell_and_rows

    result = taken(cell, rows, n_shards=4).result(rows)

    assert result.metrics == cell_metrics(rows, cell.spec.mu, cell.table)


def test_a_cell_keeps_no_row_that_it_has_taken(
    cell_and_rows: tuple[Cell, list[QuestionResult]],
) -> None:
    cell, rows = cell_and_rows
    copies = [row.model_copy() for row in rows]
    alive = [weakref.ref(copy) for copy in copies]
    cell_run = taken(cell, copies, n_shards=4)
    copies.clear()

    gc.collect()

    assert [reference() for reference in alive] == [None] * 4
    assert cell_run.result(rows).metrics["accuracy"] >= 0.0


def test_a_finished_run_is_left_as_it_is(cell_and_rows: tuple[Cell, list[QuestionResult]]) -> None:
    cell_run = taken(*cell_and_rows, n_shards=4)
    cell_run.finished = True

    cell_run.log_progress()

    assert steps(cell_run) == {}


def test_the_note_is_in_the_users_unit(
    cell_and_rows: tuple[Cell, list[QuestionResult]],
) -> None:
    cell, _ = cell_and_rows
    money = {"value_of_correct": 2.0, "price_unit": "EUR"}
    in_euros = replace(cell, spec=cell.spec.model_copy(update=money))

    assert "at retrieval cost 0.1 (reasoning step 0.02) on" in cell_tags(cell)[NOTE]
    assert "at 0.2 EUR per retrieval on" in cell_tags(in_euros)[NOTE]


def test_curves_have_a_point_after_every_shard_and_at_most_two_hundred() -> None:
    assert curve_steps(8, 3) == [3, 6, 8]
    assert curve_steps(8, 8) == [0]
    many = curve_steps(1_001, 1)
    assert (len(many), many[-1]) == (200, 1_001)


def test_a_sweep_whose_cells_were_begun_otherwise_does_not_go_on(
    cell_and_rows: tuple[Cell, list[QuestionResult]], tracking_uri: str
) -> None:
    cell, _ = cell_and_rows
    tracking = connect(tracking_uri, "argo_ml")
    sweep = tracking.create("a sweep", {KIND: "sweep"})
    tracking.create_child(sweep, "a cell", cell_tags(cell, sweep.run_id))
    check_same_cells(tracking, sweep.run_id, [cell])

    with pytest.raises(ConfigError, match=r"resume=.*runs 1 of its cells otherwise.* leave resume"):
        check_same_cells(tracking, sweep.run_id, [replace(cell, id="another")])


def test_the_run_of_a_cell_takes_six_requests(
    cell_and_rows: tuple[Cell, list[QuestionResult]], tracking_uri: str, tmp_path: Path
) -> None:
    cell, rows = cell_and_rows
    client = Mock(wraps=connect(tracking_uri, "argo_ml").client)
    tracking = Tracking(client, "0", tracking_uri)
    parent = tracking.create("a sweep", {})
    client.reset_mock()

    child = tracking.create_child(parent, cell.name, cell_tags(cell, parent.run_id))
    cell_run = CellRun(cell, child)
    cell_run.start({"questions_digest": "a digest"}, [InputDataset("q", "d", "s", "questions", 4)])
    cell_run.add(rows)
    cell_run.log_progress()
    cell_run.finish(cell_run.result(rows), tmp_path, {"peak_memory_mb": 1.0})

    called = [name for name, *_ in client.method_calls]
    requests = [name for name in called if "." not in name and not name.startswith("log_artifact")]
    assert requests == [
        "create_run",
        "log_batch",
        "log_inputs",
        "log_batch",
        "log_batch",
        "set_terminated",
    ]
