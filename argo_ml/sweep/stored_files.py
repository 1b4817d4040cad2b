"""The files that a sweep's run and its cells' runs keep of the shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from argo_ml.errors import DataError
from argo_ml.evaluation.examples import EXAMPLES, Example, example_cells, make_examples
from argo_ml.results.artifacts import EXAMPLES_FILE, OUTCOMES, PASSAGES, RESULTS, TRAJECTORIES
from argo_ml.results.outcomes_file import sweep_lines, write_lines
from argo_ml.results.records import Results
from argo_ml.results.stored import stored_lines
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
    """Log what `write_records` has written for the sweep's run, and the results and examples with
    it."""
    own = folder / PARENT
    (own / RESULTS).write_text(results.model_dump_json(indent=1), encoding="utf-8")
    examples = make_examples(
        results,
        {
            cell.run_id: list(json_lines(folder / cell.cell_id / TRAJECTORIES))
            for cell in example_cells(results)
        },
        {line["id"]: line for line in json_lines(own / PASSAGES)},
    )
    if examples:
        (own / EXAMPLES_FILE).write_bytes(EXAMPLES.dump_json(examples, indent=1))
    parent_run.log_folder(own)


def stored_examples(run: TrackedRun) -> tuple[Example, ...]:
    """The examples on a sweep's run; none of a sweep of an earlier version.

    Raises `DataError` where the file is damaged.
    """
    stored = run.read_artifact(EXAMPLES_FILE)
    if stored is None:
        return ()
    try:
        return EXAMPLES.validate_json(stored)
    except ValidationError as error:
        raise DataError(f"{EXAMPLES_FILE}: {error.errors()[0]['msg']}") from None


def json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a file, one a line. Raises `DataError` naming a line that is none."""
    yield from stored_lines(path, "")
