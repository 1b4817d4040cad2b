"""The files that a sweep's run and its cells' runs keep of the shards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from argo_ml.errors import DataError
from argo_ml.evaluation.examples import EXAMPLES, Example, make_examples
from argo_ml.results.artifacts import (
    EXAMPLES_FILE,
    INLINE_ROWS,
    OUTCOMES,
    PASSAGES,
    RESULTS,
    TRAJECTORIES,
    TRAJECTORIES_TABLE,
    rows_file,
)
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.outcomes_file import sweep_lines, write_lines
from argo_ml.results.records import QuestionResult, Results
from argo_ml.results.row_files import (
    ParquetRows,
    cell_trajectories,
    rows_writer,
    trajectories_writer,
    write_results,
)
from argo_ml.results.stored import stored_lines
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.merging import merged_rows
from argo_ml.tracking.runs import TrackedRun

PARENT = "parent"
"""Folder of what the sweep's own run keeps, beside those of the cells."""


def write_records(
    journal: Journal, cells: Sequence[Cell], folder: KeptFolder, n_rows: int
) -> Mapping[str, Sequence[QuestionResult]]:
    """Write every cell's trajectories, the sweep's passages and what is known of outcomes; the rows
    of every cell are returned.

    The journal is read once. Each cell has a folder of its id, the sweep `PARENT`. With more than
    `INLINE_ROWS` of ``n_rows`` the rows are written as well, and read when they are asked for.
    """
    own = folder.path / PARENT
    for path in (own, *(folder.path / cell.id for cell in cells)):
        path.mkdir()
    specs = {cell.id: cell.spec for cell in cells}
    passages: dict[str, dict[str, str]] = {}
    open_files: Callable[[KeptFolder, str], CellFiles] = (
        CellTables if n_rows > INLINE_ROWS else CellLines
    )
    with contextlib.ExitStack() as stack:
        files = {cell.id: stack.enter_context(open_files(folder, cell.id)) for cell in cells}
        for record, rows in merged_rows(journal):
            passages.update(record.passages)
            write_lines(own / OUTCOMES, sweep_lines(record, specs))
            for cell_id, file in files.items():
                file.add(rows[cell_id], record.trajectories[cell_id])
    with (own / PASSAGES).open("w", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps(passages[key], ensure_ascii=False) + "\n" for key in sorted(passages)
        )
    return {cell_id: file.rows() for cell_id, file in files.items()}


class CellFiles(Protocol):
    """Takes a cell's rows and trajectories, shard by shard."""

    def __enter__(self) -> CellFiles: ...

    def __exit__(self, *_: object) -> None: ...

    def add(self, rows: Sequence[QuestionResult], lines: Sequence[Mapping[str, Any]]) -> None: ...

    def rows(self) -> Sequence[QuestionResult]:
        """All rows, once the files are closed."""


class CellLines:
    """Trajectories as JSON Lines, and rows in memory."""

    def __init__(self, folder: KeptFolder, cell_id: str) -> None:
        self._path = folder.path / cell_id / TRAJECTORIES
        self._rows: list[QuestionResult] = []

    def __enter__(self) -> CellLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def add(self, rows: Sequence[QuestionResult], lines: Sequence[Mapping[str, Any]]) -> None:
        self._rows.extend(rows)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def rows(self) -> Sequence[QuestionResult]:
        return tuple(self._rows)


class CellTables:
    """Both as tables."""

    def __init__(self, folder: KeptFolder, cell_id: str) -> None:
        self._folder = folder
        self._path = folder.path / PARENT / rows_file(cell_id)
        self._path.parent.mkdir(exist_ok=True)
        self._rows = rows_writer(self._path)
        self._trajectories = trajectories_writer(folder.path / cell_id / TRAJECTORIES_TABLE)

    def __enter__(self) -> CellTables:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._trajectories.close()

    def add(self, rows: Sequence[QuestionResult], lines: Sequence[Mapping[str, Any]]) -> None:
        self._rows.add(rows)
        self._trajectories.add(lines)

    def rows(self) -> Sequence[QuestionResult]:
        return ParquetRows(self._path, folder=self._folder)


def store_results(parent_run: TrackedRun, results: Results, folder: Path) -> None:
    """Log what `write_records` has written for the sweep's run, and the results and examples with
    it."""
    own = folder / PARENT
    write_results(results, own / RESULTS)
    examples = make_examples(
        results,
        {cell.run_id: cell_trajectories(folder / cell.cell_id) for cell in results.cells},
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
