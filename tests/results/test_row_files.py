"""Rows and trajectories on disk say what those in memory say."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from builders.result_builders import results, row

from argo_ml.config import SweepSpec
from argo_ml.errors import DataError
from argo_ml.evaluation.protocol import evaluate
from argo_ml.reporting.figures import redraw
from argo_ml.results import row_files
from argo_ml.results.artifacts import rows_file
from argo_ml.results.metrics import sweep_metrics
from argo_ml.results.question_rows import (
    action_counts,
    first_decided,
    row_numbers,
    row_values,
    same_behavior,
)
from argo_ml.results.records import DecisionResult, QuestionResult, Results, Stopping
from argo_ml.results.row_files import (
    BATCH_ROWS,
    ParquetRows,
    RowKeeper,
    read_trajectories,
    rows_schema,
    rows_writer,
    trajectories_writer,
    with_rows,
    write_results,
)
from argo_ml.results.stored import stored_record
from argo_ml.sweep.traces import choose_episodes
from argo_ml.types import Action

DECISIONS = (
    DecisionResult(action="retrieve", confidence=0.25, expected_gain=0.1, score=0.5, correct=False),
    DecisionResult(action="stop"),
)
DECIDED = Stopping(
    n_asked=12, n_available=13_000, is_decided=True, level=0.05, margin=0.01, verdicts=()
)


def written(rows: Sequence[QuestionResult], path: Path) -> ParquetRows:
    writer = rows_writer(path)
    writer.add(rows)
    writer.close()
    return ParquetRows(path)


def many_rows(n_rows: int) -> list[QuestionResult]:
    return [
        row(
            f"question-{index}",
            ["retrieve", "reason"][: index % 3],
            {"retrieve": 0.1, "reason": 0.02},
            decisions=DECISIONS if index % 2 else (),
            confidence=None if index % 5 else 0.75,
            choice=None if index % 4 else 2,
            difficulty="hard" if index % 2 else None,
            answer="Zürich \u2028 \U0001f600",
        )
        for index in range(n_rows)
    ]


def on_disk(sweep: Results, folder: Path) -> Results:
    """The same results as a large sweep stores them, read back."""
    (folder / "rows").mkdir()
    cells = tuple(
        cell.model_copy(
            update={"questions": written(cell.questions, folder / rows_file(cell.cell_id))}
        )
        for cell in sweep.cells
    )
    write_results(sweep.model_copy(update={"cells": cells}), folder / "results.json")
    return with_rows(stored_record(folder / "results.json", Results, ""), folder.joinpath)


def test_rows_read_are_those_written(tmp_path: Path) -> None:
    rows = many_rows(3 * BATCH_ROWS + 7)

    stored = written(rows, tmp_path / "cell.parquet")

    assert list(stored) == rows
    assert len(stored) == len(rows)
    assert (stored[300], stored[-1], tuple(stored[5:7])) == (rows[300], rows[-1], tuple(rows[5:7]))
    with pytest.raises(IndexError):
        stored[len(rows)]


@pytest.mark.parametrize("most_in_memory", [0, 100])
def test_some_questions_of_rows_on_disk_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_in_memory: int
) -> None:
    rows = many_rows(3 * BATCH_ROWS)
    stored = written(rows, tmp_path / "cell.parquet")
    monkeypatch.setattr(row_files, "INLINE_ROWS", most_in_memory)
    keeper = RowKeeper(2)

    kept = keeper.keep_some(stored, {"question-700", "question-3"})

    assert isinstance(kept, ParquetRows) is keeper.keeps_tables
    assert list(kept) == [rows[3], rows[700]]


def test_columns_of_both_forms_are_equal(tmp_path: Path) -> None:
    rows = many_rows(20)
    names = ("question_id", "actions", "decisions", "confidence", "correct")

    stored = written(rows, tmp_path / "cell.parquet")

    assert list(row_values(stored, *names)) == list(row_values(rows, *names))


def test_numbers_of_rows_on_disk_are_those_in_memory(tmp_path: Path) -> None:
    rows = many_rows(20)

    stored = written(rows, tmp_path / "cell.parquet")

    assert action_counts(stored, Action.RETRIEVE).tolist() == [0, 1, 1] * 6 + [0, 1]
    for read in (partial(row_numbers, name="confidence"), partial(first_decided, name="score")):
        np.testing.assert_array_equal(read(stored), read(rows))
    assert first_decided(rows, "score")[:2].tolist()[1] == 0.5
    assert np.isnan(first_decided(rows, "score")[0])


def test_rows_on_disk_behave_alike_where_actions_and_answers_are_equal(tmp_path: Path) -> None:
    rows = many_rows(20)
    other = [*rows[:-1], rows[-1].model_copy(update={"answer": "Bern"})]
    first, same, third = (
        written(own, tmp_path / name)
        for own, name in ((rows, "a.parquet"), (rows, "b.parquet"), (other, "c.parquet"))
    )

    assert same_behavior(first, same)
    assert not same_behavior(first, third)


def test_the_columns_are_the_fields_of_a_row() -> None:
    assert rows_schema().names == list(QuestionResult.model_fields)


@pytest.mark.parametrize("stopping", [None, DECIDED])
def test_results_on_disk_say_what_those_in_memory_say(
    tmp_path: Path, stopping: Stopping | None
) -> None:
    sweep = results(SweepSpec(n_questions=12, retrieval_costs=(0.02, 0.1)))
    sweep = sweep.model_copy(update={"stopping": stopping})

    stored = on_disk(sweep, tmp_path)

    assert len((tmp_path / "results.json").read_text().split("question_id")) == 1
    assert stored.row_digests.keys() == {cell.cell_id for cell in sweep.cells}
    assert stored.stopping == stopping
    assert evaluate(stored) == evaluate(sweep)
    assert sweep_metrics(stored) == sweep_metrics(sweep)


def test_rows_of_a_decided_sweep_that_was_stored_without_digests_are_read(tmp_path: Path) -> None:
    sweep = results(SweepSpec(n_questions=12, retrieval_costs=(0.1,)))
    on_disk(sweep.model_copy(update={"stopping": DECIDED}), tmp_path)
    summary = stored_record(tmp_path / "results.json", Results, "")

    read = with_rows(summary.model_copy(update={"row_digests": {}}), tmp_path.joinpath)

    assert [tuple(cell.questions) for cell in read.cells] == [
        cell.questions for cell in sweep.cells
    ]


def test_results_without_their_rows_say_where_those_are(tmp_path: Path) -> None:
    on_disk(results(SweepSpec(n_questions=12, retrieval_costs=(0.1,))), tmp_path)
    summary = stored_record(tmp_path / "results.json", Results, "")

    for use in (evaluate, partial(redraw, folder=tmp_path)):
        with pytest.raises(DataError, match=r"those of a large sweep are in rows/ beside results"):
            use(summary)


@pytest.mark.usefixtures("quick_figures")
def test_the_documented_way_from_results_to_figures_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk(results(SweepSpec(n_questions=12, retrieval_costs=(0.1,))), tmp_path)
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    example = re.search(
        r"From results to figures again:\n\n((?:    .*\n|\n)+)", page.read_text(encoding="utf-8")
    )
    assert example is not None
    monkeypatch.chdir(tmp_path)

    exec(textwrap.dedent(example[1]), {})

    assert (tmp_path / "figures" / "graph_1b.png").exists()


def test_the_episodes_to_be_traced_are_the_same_of_both_forms(tmp_path: Path) -> None:
    sweep = results(SweepSpec(n_questions=12, retrieval_costs=(0.02, 0.1)))

    chosen = choose_episodes(on_disk(sweep, tmp_path), 9)

    assert [(one.cell.cell_id, one.row) for one in chosen] == [
        (one.cell.cell_id, one.row) for one in choose_episodes(sweep, 9)
    ]


def test_trajectories_read_are_those_written(tmp_path: Path) -> None:
    lines = [{"question_id": f"q{index}", "steps": [{"gold": [1, "a"]}]} for index in range(600)]
    writer = trajectories_writer(tmp_path / "trajectories.parquet")

    for line in lines:
        writer.add([line])
    writer.close()

    assert list(read_trajectories(tmp_path / "trajectories.parquet")) == lines


def test_a_writer_keeps_few_rows_as_objects(tmp_path: Path) -> None:
    writer = rows_writer(tmp_path / "cell.parquet")

    most = 0
    for row_ in many_rows(2 * BATCH_ROWS + 5):
        writer.add([row_])
        most = max(most, len(vars(writer)["_buffer"]))
    writer.close()

    assert most < BATCH_ROWS


@pytest.mark.parametrize("flipped", [30, 200, -30])
def test_rows_of_which_one_bit_is_another_are_refused(tmp_path: Path, flipped: int) -> None:
    sweep = on_disk(results(SweepSpec(n_questions=12, retrieval_costs=(0.1,))), tmp_path)
    path = tmp_path / rows_file(sweep.cells[0].cell_id)
    content = bytearray(path.read_bytes())
    content[flipped] ^= 1
    path.write_bytes(bytes(content))

    summary = stored_record(tmp_path / "results.json", Results, "")
    with pytest.raises(DataError, match=rf"^{path.name} of run {sweep.sweep_id}: damaged: "):
        with_rows(summary, tmp_path.joinpath)


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "cell.parquet").write_text("no table")

    with pytest.raises(DataError, match=r"^cell.parquet: damaged: "):
        ParquetRows(tmp_path / "cell.parquet")
