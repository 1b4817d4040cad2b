"""Finished shards handed to the cells in order, whatever order they finish in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from argo_ml.evaluation.stopping import StoppingRule, cell_key
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

    def __init__(
        self, journal: Journal, cell_runs: Sequence[CellRun], rule: StoppingRule | None = None
    ) -> None:
        self._journal = journal
        self._cell_runs = cell_runs
        self._rule = rule
        self._next = 0
        self._paid: set[str] = set()

    def advance(self, finished: FinishedShard | None = None) -> bool:
        """Take what has become next in order; returns whether there was anything.

        ``finished`` was put into the journal just now, and need not be read again.
        """
        first = self._next
        while self._next in self._journal and not self.is_decided:
            is_here = finished is not None and finished.index == self._next
            record = finished.record if finished and is_here else self._journal.read(self._next)
            rows = paid_rows(record, self._paid)
            for cell_run in self._cell_runs:
                cell_run.add(rows[cell_run.cell.id])
            if self._rule is not None:
                self._rule.add(
                    {cell_key(run.cell.spec): rows[run.cell.id] for run in self._cell_runs}
                )
            self._next += 1
        return self._next > first

    @property
    def n_shards(self) -> int:
        """How many shards are taken."""
        return self._next

    @property
    def is_decided(self) -> bool:
        """Whether the shards taken tell what was asked for, so that no other one is needed."""
        return self._rule is not None and self._rule.is_decided

    def forget_others(self) -> None:
        """Remove shards that finished beyond those taken."""
        self._journal.remove_from(self._next)


def merged_rows(journal: Journal) -> Iterator[tuple[ShardRecord, Mapping[str, Rows]]]:
    """Every shard of a journal in order, with its rows as `ShardMerger` hands them to the cells."""
    paid: set[str] = set()
    for record in journal.records():
        yield record, paid_rows(record, paid)


def paid_rows(record: ShardRecord, paid: set[str]) -> Mapping[str, Rows]:
    """The record's rows by cell without the payments of calls in ``paid``, which earlier shards
    have made already; those of this shard are added to it."""
    if not record.paid:
        return record.results
    rows_by_cell = {
        cell: [
            row.model_copy(update={"lm_calls_paid": sum(key not in paid for key in keys)})
            for row, keys in zip(rows, record.paid[cell], strict=True)
        ]
        for cell, rows in record.results.items()
    }
    for keys_by_question in record.paid.values():
        paid.update(*keys_by_question)
    return rows_by_cell
