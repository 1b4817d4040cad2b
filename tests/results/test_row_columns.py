from __future__ import annotations

from pathlib import Path

import numpy as np
from builders import hand_made_sweep as sweep

from argo_ml.results.question_rows import column_blocks
from argo_ml.results.records import DecisionResult, QuestionResult
from argo_ml.results.row_columns import RowColumns
from argo_ml.results.row_files import ParquetRows, rows_writer
from argo_ml.types import Action

ACTIONS = [["retrieve", "reason", "retrieve"], [], ["reason"]]
DECISIONS = [
    (DecisionResult(action="retrieve", expected_gain=0.2), DecisionResult(action="stop")),
    (),
    (DecisionResult(action="reason", expected_gain=0.1, correct=True),),
]
ROWS = tuple(sweep.cell("argo", 0.1, "101", ACTIONS, decisions=DECISIONS).questions)


def on_disk(rows: tuple[QuestionResult, ...], folder: Path) -> ParquetRows:
    writer = rows_writer(folder / "rows.parquet")
    writer.add(rows)
    writer.close()
    return ParquetRows(folder / "rows.parquet")


def assert_columns_are_those_of_the_rows(columns: RowColumns) -> None:
    assert (columns.n, list(columns.rows())) == (3, list(ROWS))
    assert columns.field("correct").tolist() == [True, False, True]
    assert columns.field("cost").tolist() == [row.cost for row in ROWS]
    assert columns.field("unanswered").tolist() == ["", "", ""]
    assert columns.steps().tolist() == [3, 0, 1]
    assert columns.taken(Action.RETRIEVE).tolist() == [2, 0, 0]
    gains, owners = columns.decided("expected_gain")
    np.testing.assert_array_equal(gains, [0.2, np.nan, 0.1])
    assert owners.tolist() == [0, 0, 2]
    np.testing.assert_array_equal(columns.decided("correct")[0], [np.nan, np.nan, 1.0])


def test_columns_of_rows_in_memory() -> None:
    (columns,) = column_blocks(ROWS)

    assert_columns_are_those_of_the_rows(columns)


def test_columns_of_rows_on_disk(tmp_path: Path) -> None:
    (columns,) = column_blocks(on_disk(ROWS, tmp_path))

    assert_columns_are_those_of_the_rows(columns)


def test_no_rows_have_no_columns() -> None:
    assert list(column_blocks(())) == []
