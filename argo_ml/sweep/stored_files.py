"""The files that a sweep's run and its cells' runs keep of the shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from argo_ml.results.artifacts import OUTCOMES, PASSAGES, RESULTS, TRAJECTORIES
from argo_ml.results.outcomes_file import sweep_lines, write_lines
from argo_ml.results.records import Results
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.journal import Journal
from argo_ml.tracking.runs import TrackedRun

PARENT = "parent"
"""Folder of what the sweep's own run keeps, beside those of the cells."""


def write_records(journal: Journal, cells: Sequence[Cell], folder: Path) -> None:
    """Write every cell's trajectories, the sweep's passages and what is known of outcomes.

    The journal is read once. Each cell has a folder of its id, the sweep `PARENT`.
    """
    for name in (PARENT, *(cell.id for cell in cells)):
        (folder / name).mkdir()
    specs = {cell.id: cell.spec for cell in cells}
    passages: dict[str, dict[str, str]] = {}
    for record in journal.records():
        passages.update(record.passages)
        write_lines(folder / PARENT / OUTCOMES, sweep_lines(record, specs))
        for cell in cells:
            lines = record.trajectories[cell.id]
            with (folder / cell.id / TRAJECTORIES).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    with (folder / PARENT / PASSAGES).open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps(passages[key], ensure_ascii=False) + "\n" for key in sorted(passages)
        )


def store_results(parent_run: TrackedRun, results: Results, folder: Path) -> None:
    """Log ``folder`` on the sweep's run, and the results with it."""
    (folder / RESULTS).write_text(results.model_dump_json(indent=1), encoding="utf-8")
    parent_run.log_folder(folder)
