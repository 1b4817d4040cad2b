"""What a replay has stored, against what follows from its rows."""

from __future__ import annotations

from collections.abc import Iterator

from argo_ml.results.artifacts import cell_name
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.records import CellResult
from argo_ml.sweep.record import SweepRecord
from argo_ml.verification.numbers import are_equal


def replay_faults(record: SweepRecord) -> list[str]:
    """One line per fault; raises `ArgoError` where its results cannot be read."""
    return list(_faults(record))


def _faults(record: SweepRecord) -> Iterator[str]:
    if record.run.info.status != "FINISHED":
        yield f"its run has ended as {record.run.info.status}"
        return
    results = record.results()
    mu = float(results.spec["mu"])
    n_questions = {len(cell.questions) for cell in results.cells}
    if len(n_questions) != 1:
        yield f"cells have {' and '.join(map(str, sorted(n_questions)))} questions"
    for cell in results.cells:
        yield from _differing(cell, mu)


def _differing(cell: CellResult, mu: float) -> Iterator[str]:
    recomputed = cell_metrics(cell.questions, mu, cell.policy)
    for name, value in recomputed.items():
        stored = cell.metrics.get(name)
        if stored is None or not are_equal(stored, value):
            where = cell_name(cell.strategy, cell.retrieval_cost)
            yield f"{where}: {name} is {stored}, of its rows {value:g}"
