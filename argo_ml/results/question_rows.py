"""The question rows of a cell as columns, whether they are in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.results.records import QuestionResult, RowsOnDisk
from argo_ml.results.row_columns import RowColumns, columns_in_memory
from argo_ml.types import Action


def row_values(rows: Sequence[QuestionResult], *names: str) -> Iterator[tuple[Any, ...]]:
    """The fields of these names, row by row; of rows on disk no others are read."""
    if isinstance(rows, RowsOnDisk):
        return rows.values(*names)
    return (tuple(getattr(row, name) for name in names) for row in rows)


def column_blocks(rows: Sequence[QuestionResult]) -> Iterator[RowColumns]:
    """All columns, of some rows at a time where they are on disk."""
    if isinstance(rows, RowsOnDisk):
        return rows.columns()
    return iter([columns_in_memory(rows)] if rows else [])


def row_numbers(rows: Sequence[QuestionResult], name: str) -> npt.NDArray[np.float64]:
    """A field of numbers or truth values; not a number where a row has none."""
    values = (np.nan if value is None else value for (value,) in row_values(rows, name))
    return np.fromiter(values, dtype=float, count=len(rows))


def question_ids(rows: Sequence[QuestionResult]) -> list[str]:
    return [question_id for (question_id,) in row_values(rows, "question_id")]


def row_flags(rows: Sequence[QuestionResult], name: str) -> list[bool]:
    return [bool(value) for (value,) in row_values(rows, name)]


def action_counts(rows: Sequence[QuestionResult], action: Action) -> npt.NDArray[np.int64]:
    """How often each row took the action."""
    counts = (actions.count(action.value) for (actions,) in row_values(rows, "actions"))
    return np.fromiter(counts, dtype=np.int64, count=len(rows))


def same_behavior(rows: Sequence[QuestionResult], others: Sequence[QuestionResult]) -> bool:
    """Whether both took the same actions and gave the same answer on every question."""
    names = ("question_id", "actions", "answer")
    both = zip(row_values(rows, *names), row_values(others, *names), strict=True)
    return all(own == other for own, other in both)
