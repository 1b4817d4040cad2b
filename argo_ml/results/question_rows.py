"""The question rows of a cell as columns, whether they are in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.results.records import QuestionResult, RowsOnDisk
from argo_ml.results.row_columns import Array, RowColumns, columns_in_memory
from argo_ml.types import Action


def row_values(rows: Sequence[QuestionResult], *names: str) -> Iterator[tuple[Any, ...]]:
    """The fields of these names, row by row; of rows on disk no others are read."""
    if isinstance(rows, RowsOnDisk):
        return rows.values(*names)
    return (tuple(getattr(row, name) for name in names) for row in rows)


def column_blocks(rows: Sequence[QuestionResult], *names: str) -> Iterator[RowColumns]:
    """The columns of these names, or all of them, of some rows at a time where they are on disk."""
    if isinstance(rows, RowsOnDisk):
        return rows.columns(*names)
    return iter([columns_in_memory(rows)] if rows else [])


def row_numbers(rows: Sequence[QuestionResult], name: str) -> npt.NDArray[np.float64]:
    """A field of numbers or truth values; not a number where a row has none."""
    return _joined([own.field(name).astype(float) for own in column_blocks(rows, name)], float)


def question_ids(rows: Sequence[QuestionResult]) -> list[str]:
    return [question_id for (question_id,) in row_values(rows, "question_id")]


def row_flags(rows: Sequence[QuestionResult], name: str) -> list[bool]:
    blocks = column_blocks(rows, name)
    return [flag for own in blocks for flag in own.field(name).astype(bool).tolist()]


def action_counts(rows: Sequence[QuestionResult], action: Action) -> npt.NDArray[np.int64]:
    """How often each row took the action."""
    return _joined([own.taken(action) for own in column_blocks(rows, "actions")], np.int64)


def first_decided(rows: Sequence[QuestionResult], name: str) -> npt.NDArray[np.float64]:
    """A field of each row's first decision; not a number where there is none, or it has none."""
    return _joined([_first_decided(own, name) for own in column_blocks(rows, "decisions")], float)


def _first_decided(rows: RowColumns, name: str) -> Array:
    values, owners = rows.decided(name)
    first = np.full(rows.n, np.nan)
    # Assigned from the last on, the first of a row's own is what stays.
    first[owners[::-1]] = values[::-1]
    return first


def last_decided(rows: Sequence[QuestionResult], name: str) -> npt.NDArray[np.float64]:
    """The same of each row's last decision."""
    return _joined([_last_decided(own, name) for own in column_blocks(rows, "decisions")], float)


def _last_decided(rows: RowColumns, name: str) -> Array:
    values, owners = rows.decided(name)
    last = np.full(rows.n, np.nan)
    last[owners] = values
    return last


def _joined(parts: Sequence[Array], kind: type) -> Array:
    return np.concatenate([np.empty(0, dtype=kind), *parts])


def same_behavior(rows: Sequence[QuestionResult], others: Sequence[QuestionResult]) -> bool:
    """Whether both took the same actions and gave the same answer on every question."""
    names = ("question_id", "actions", "answer")
    if isinstance(rows, RowsOnDisk) and isinstance(others, RowsOnDisk):
        return rows.same(others, *names)
    both = zip(row_values(rows, *names), row_values(others, *names), strict=True)
    return all(own == other for own, other in both)
