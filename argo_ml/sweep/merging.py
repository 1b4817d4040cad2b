"""Finished shards handed to the cells in order, whatever order they finish in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.cell_run import CellRun
from argo_ml.sweep.executors.base import FinishedShard
from argo_ml.sweep.journal import Journal

Rows: TypeAlias = Sequence[QuestionResult]


class ShardMerger:
    """Takes a shard from the journal once it and all shards before it are finished.

    A call that several shards need is paid by the first of them in this order, as if they had run
    one after the other: so who pays does not depend on who ran what, or when.
    """

    def __init__(self, journal: Journal, cell_runs: Sequence[CellRun]) -> None:
        self._journal = journal
        self._cell_runs = cell_runs
        self._next = 0
        self._paid: set[str] = set()

    def advance(self, finished: FinishedShard | None = None) -> bool:
        """Take what has become next in order; returns whether there was anything.

        ``finished`` was put into the journal just now, and need not be read again.
        """
        first = self._next
        while self._next in self._journal:
            is_here = finished is not None and finished.index == self._next
            record = finished.record if finished and is_here else self._journal.read(self._next)
            results = without_repeated_payments(record, self._paid)
            for cell_run in self._cell_runs:
                cell_run.add(results[cell_run.cell.id])
            for keys_by_question in record.paid.values():
                self._paid.update(*keys_by_question)
            self._next += 1
        return self._next > first


def merged_rows(journal: Journal) -> Iterator[tuple[ShardRecord, Mapping[str, Rows]]]:
    """Every shard of a journal in order, with its rows as `ShardMerger` hands them to the cells."""
    paid: set[str] = set()
    for record in journal.records():
        yield record, without_repeated_payments(record, paid)
        for keys_by_question in record.paid.values():
            paid.update(*keys_by_question)


def without_repeated_payments(
    record: ShardRecord, paid_before: AbstractSet[str]
) -> Mapping[str, Sequence[QuestionResult]]:
    """The record's results without the payments that earlier shards have made already."""
    if not record.paid:
        return record.results
    return {
        cell: [
            row.model_copy(update={"lm_calls_paid": sum(key not in paid_before for key in keys)})
            for row, keys in zip(rows, record.paid[cell], strict=True)
        ]
        for cell, rows in record.results.items()
    }
