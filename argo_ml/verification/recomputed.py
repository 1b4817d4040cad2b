"""What a replay has stored, against what follows from its rows."""

from __future__ import annotations

from collections.abc import Iterator

from argo_ml.results.artifacts import cell_name
from argo_ml.sweep.record import SweepRecord
from argo_ml.verification.numbers import differences, recomputed_metrics


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
        where = cell_name(cell.strategy, cell.retrieval_cost)
        yield from differences(where, recomputed_metrics(cell, mu), cell.metrics)
