"""Question rows and trajectories of large sweeps as Parquet files, written and read in parts.

Every page of a file has a checksum, which is compared when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from types import NoneType
from typing import Any, Generic, TypeVar, get_args, overload

import numpy as np

from argo_ml.errors import DataError, one_line
from argo_ml.results.artifacts import (
    INLINE_ROWS,
    RESULTS,
    ROWS,
    TRAJECTORIES,
    TRAJECTORIES_TABLE,
    rows_file,
)
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.records import (
    CellResult,
    DecisionResult,
    QuestionResult,
    Results,
    RowsOnDisk,
)
from argo_ml.results.row_columns import RowColumns, columns_of_batch
from argo_ml.results.stored import stored_lines

Written = TypeVar("Written")

BATCH_ROWS = 250
"""Rows that are in memory as objects, of every file that is being written."""
GROUP_ROWS = 5_000
"""Rows that are compressed together: what reading a single one reads."""
_WRITING: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
READ_ROWS = 1_000
"""Rows that are in memory as objects where a file is read."""


class ParquetWriter(Generic[Written]):
    """Writes values in batches; ``columns`` makes a batch of Arrow columns of some of them."""

    def __init__(
        self, path: Path, schema: Any, columns: Callable[[Sequence[Written]], list[Any]]
    ) -> None:
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        self._schema = schema
        self._columns = columns
        self._buffer: list[Written] = []
        self._batches: list[Any] = []
        self._file = pq.ParquetWriter(path, schema, **_WRITING)

    def close(self) -> None:
        self._batch()
        self._write_group()
        self._file.close()

    def add(self, values: Iterable[Written]) -> None:
        for value in values:
            self._buffer.append(value)
            if len(self._buffer) >= BATCH_ROWS:
                self._batch()
                self._write_full_group()

    def _write_full_group(self) -> None:
        if sum(batch.num_rows for batch in self._batches) >= GROUP_ROWS:
            self._write_group()

    def _batch(self) -> None:
        import pyarrow as pa

        if self._buffer:
            columns = self._columns(self._buffer)
            self._batches.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
            self._buffer = []

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._batches:
            self._file.write_table(pa.Table.from_batches(self._batches).combine_chunks())
            self._batches = []


def rows_writer(path: Path) -> ParquetWriter[QuestionResult]:
    schema = rows_schema()
    return ParquetWriter(path, schema, lambda rows: _row_columns(rows, schema))


def trajectories_writer(path: Path) -> ParquetWriter[Mapping[str, Any]]:
    """Keeps every trajectory as the JSON text that it has in the file of a smaller sweep."""
    import pyarrow as pa

    schema = pa.schema([("question_id", pa.string()), ("trajectory", pa.string())])

    def columns(lines: Sequence[Mapping[str, Any]]) -> list[Any]:
        texts = [json.dumps(line, ensure_ascii=False) for line in lines]
        return [pa.array([line["question_id"] for line in lines]), pa.array(texts)]

    return ParquetWriter(path, schema, columns)


def rows_table(rows: Iterable[QuestionResult], schema: Any) -> Any:
    """The rows as an Arrow table, of which `READ_ROWS` at a time are objects."""
    import pyarrow as pa

    left = iter(rows)
    blocks = iter(lambda: list(islice(left, READ_ROWS)), [])
    batches = [
        pa.RecordBatch.from_arrays(_row_columns(block, schema), schema=schema) for block in blocks
    ]
    return pa.Table.from_batches(batches, schema).combine_chunks()


def rows_schema() -> Any:
    """The fields of a row, in their order."""
    import pyarrow as pa

    fields = QuestionResult.model_fields.items()
    return pa.schema([_arrow_field(pa, name, info.annotation) for name, info in fields])


def _arrow_field(pa: Any, name: str, annotation: Any) -> Any:
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    is_optional = NoneType in get_args(annotation)
    return pa.field(name, _arrow_type(pa, kinds[0] if is_optional else annotation), is_optional)


def _arrow_type(pa: Any, annotation: Any) -> Any:
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if annotation in plain:
        return plain[annotation]
    kind = get_args(annotation)[0]
    if kind is not DecisionResult:
        return pa.list_(plain[kind])
    fields = DecisionResult.model_fields.items()
    return pa.list_(pa.struct([_arrow_field(pa, name, info.annotation) for name, info in fields]))


def _row_columns(rows: Sequence[QuestionResult], schema: Any) -> list[Any]:
    import pyarrow as pa

    return [pa.array(_values(rows, field.name), field.type) for field in schema]


def _values(rows: Sequence[QuestionResult], name: str) -> list[Any]:
    """A field of each row; decisions as objects of their fields, which is what Arrow takes."""
    if name == "decisions":
        return [list(map(dict, row.decisions)) for row in rows]
    return [getattr(row, name) for row in rows]


class ParquetRows(RowsOnDisk):
    """The rows of a file of `rows_writer`.

    ``run_id`` is the run that keeps it, for messages, and ``folder`` what must stay as long as the
    rows are read, where the file lies in a temporary one. Raises `DataError` for a file that is
    damaged or of another kind.
    """

    def __init__(self, path: Path, run_id: str = "", folder: object = None) -> None:
        self.path = path
        self._run_id = run_id
        self._folder = folder
        with self._opened() as file:
            missing = set(QuestionResult.model_fields) - set(file.schema_arrow.names)
            if missing - _WITH_DEFAULTS:
                raise DataError(f"{self.place}: damaged: has no column {min(missing)}")
            self._names = tuple(file.schema_arrow.names)
            self._starts = _group_starts(file.metadata)
            self._n_rows = int(file.metadata.num_rows)

    @property
    def digest(self) -> str:
        """BLAKE2b of the file, 16 bytes."""
        return hashlib.blake2b(self.path.read_bytes(), digest_size=16).hexdigest()

    def __len__(self) -> int:
        return self._n_rows

    @overload
    def __getitem__(self, index: int) -> QuestionResult: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[QuestionResult]: ...

    def __getitem__(self, index: int | slice) -> QuestionResult | Sequence[QuestionResult]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        at = range(len(self))[index]
        group = max(number for number, start in enumerate(self._starts) if start <= at)
        with self._opened() as file:
            table = file.read_row_group(group).slice(at - self._starts[group], 1)
        return next(self._rows(table.combine_chunks().to_batches()[0]))

    def __iter__(self) -> Iterator[QuestionResult]:
        with self._opened() as file:
            for batch in file.iter_batches(READ_ROWS):
                yield from self._rows(batch)

    def values(self, *names: str) -> Iterator[tuple[Any, ...]]:
        with self._opened() as file:
            present = [name for name in names if name in self._names]
            for batch in file.iter_batches(READ_ROWS, columns=present):
                columns = [_column(batch, name) for name in names]
                yield from zip(*columns, strict=True)

    def columns(self, *names: str) -> Iterator[RowColumns]:
        with self._opened() as file:
            present = [name for name in names or self._names if name in self._names]
            for batch in file.iter_batches(GROUP_ROWS, columns=present):
                yield columns_of_batch(batch, _default, partial(self._rows, batch))

    def same(self, other: RowsOnDisk, *names: str) -> bool:
        if not isinstance(other, ParquetRows) or not set(names) <= {*self._names} & {*other._names}:
            return list(self.values(*names)) == list(other.values(*names))
        with self._opened() as file, other._opened() as its_file:
            own, its = file.read(columns=list(names)), its_file.read(columns=list(names))
        return bool(own.equals(its))

    def table_of(self, ids: Collection[str]) -> Any:
        """The rows of some questions as an Arrow table."""
        import pyarrow as pa
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        with self._opened() as file:
            table = file.read()
        is_chosen = pc.is_in(table["question_id"], pa.array(sorted(ids), pa.string()))
        return table.filter(is_chosen)

    def _rows(self, batch: Any) -> Iterator[QuestionResult]:
        names = [name for name in self._names if name in QuestionResult.model_fields]
        columns = [_column(batch, name) for name in names]
        for values in zip(*columns, strict=True):
            # The types are those of the file's schema, so that nothing needs to be checked again.
            yield QuestionResult.model_construct(**dict(zip(names, values, strict=True)))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        with _opened(self.path, self.place) as file:
            yield file

    @property
    def place(self) -> str:
        return f"{self.path.name} of run {self._run_id}" if self._run_id else self.path.name


def write_results(results: Results, path: Path, indent: int | None = 1) -> None:
    """Write ``results.json``, and beside it the files of rows that are on disk."""
    digests = {
        cell.cell_id: cell.questions.digest
        for cell in results.cells
        if isinstance(cell.questions, ParquetRows)
    }
    for cell in results.cells:
        target = path.parent / rows_file(cell.cell_id)
        if isinstance(cell.questions, ParquetRows) and not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(cell.questions.path, target)
    left_out: dict[str, Any] = {"row_digests": True}
    if digests:
        left_out = {"cells": {"__all__": {"questions"}}}
        results = results.model_copy(update={"row_digests": digests})
    if results.stopping is None:
        left_out["stopping"] = True
    text = results.model_dump_json(indent=indent, exclude=left_out, exclude_defaults=indent is None)
    path.write_text(text, encoding="utf-8")


def with_rows(results: Results, fetched: Callable[[str], Path], folder: object = None) -> Results:
    """The results with the rows that are in files beside them.

    ``fetched`` gives the file of an artifact's path, which lies in ``folder``. Raises `DataError`
    for a file that is not the one that was written.
    """
    if not results.row_digests and not _lacks_digests(results):
        return results

    def with_own_rows(cell: CellResult) -> CellResult:
        rows = ParquetRows(fetched(rows_file(cell.cell_id)), results.sweep_id, folder)
        if results.row_digests and rows.digest != results.row_digests.get(cell.cell_id):
            raise DataError(f"{rows.place}: damaged: is not what {RESULTS} says")
        return cell.model_copy(update={"questions": rows})

    return results.model_copy(update={"cells": tuple(map(with_own_rows, results.cells))})


def check_has_rows(results: Results) -> None:
    """Raises `DataError` for results of which some cell has no rows."""
    for cell in results.cells:
        if not len(cell.questions):
            raise DataError(
                f"{cell.name}: has no question rows; those of a large sweep are in {ROWS}/ beside "
                f"{RESULTS}: read them with argo_ml.results.row_files.with_rows"
            )


def _lacks_digests(results: Results) -> bool:
    """Whether this is a large sweep until=decided of an earlier version, which named no files."""
    return results.stopping is not None and not any(len(cell.questions) for cell in results.cells)


class RowKeeper:
    """Keeps the rows of cells in memory, or where all have more than `INLINE_ROWS` on disk."""

    def __init__(self, n_rows: int) -> None:
        self._folder = KeptFolder() if n_rows > INLINE_ROWS else None
        self._n_cells = 0

    def keep(self, rows: Iterable[QuestionResult]) -> Sequence[QuestionResult]:
        if self._folder is None:
            return tuple(rows)
        path = self._next_path(self._folder)
        writer = rows_writer(path)
        writer.add(rows)
        writer.close()
        return ParquetRows(path, folder=self._folder)

    @property
    def keeps_tables(self) -> bool:
        return self._folder is not None

    def keep_table(self, table: Any) -> Sequence[QuestionResult]:
        """The same of an Arrow table of rows, where those go to disk."""
        import pyarrow.parquet as pq

        assert self._folder is not None
        path = self._next_path(self._folder)
        with pq.ParquetWriter(path, table.schema, **_WRITING) as file:
            file.write_table(table, row_group_size=GROUP_ROWS)
        return ParquetRows(path, folder=self._folder)

    def keep_some(
        self, rows: Sequence[QuestionResult], ids: Collection[str]
    ) -> Sequence[QuestionResult]:
        """Of the rows of a cell those of some questions."""
        if self.keeps_tables and isinstance(rows, ParquetRows):
            return self.keep_table(rows.table_of(ids))
        return self.keep(row for row in rows if row.question_id in ids)

    def _next_path(self, folder: KeptFolder) -> Path:
        path = folder.path / f"{self._n_cells}.parquet"
        self._n_cells += 1
        return path


def read_trajectories(path: Path, run_id: str = "") -> Iterator[Mapping[str, Any]]:
    """The trajectories of a file of `trajectories_writer`. Raises `DataError`."""
    place = f"{path.name} of run {run_id}" if run_id else path.name
    with _opened(path, place) as file:
        for batch in file.iter_batches(READ_ROWS, columns=["trajectory"]):
            for text in batch.column(0).to_pylist():
                yield json.loads(text)


def cell_trajectories(folder: Path, run_id: str = "") -> Iterator[Mapping[str, Any]]:
    """The trajectories in a cell's folder, in either form; none where there are none."""
    table, lines = folder / TRAJECTORIES_TABLE, folder / TRAJECTORIES
    if table.exists():
        yield from read_trajectories(table, run_id)
    elif lines.exists():
        yield from stored_lines(lines, run_id)


_WITH_DEFAULTS = {
    name for name, info in QuestionResult.model_fields.items() if not info.is_required()
}


@contextlib.contextmanager
def _opened(path: Path, place: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{place}: damaged: {one_line(error)[:200]}") from None


def _group_starts(metadata: Any) -> list[int]:
    starts, n_rows = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(n_rows)
        n_rows += metadata.row_group(group).num_rows
    return starts


def _default(name: str) -> Any:
    return QuestionResult.model_fields[name].default


def _column(batch: Any, name: str) -> list[Any]:
    """The values of a column as a row has them; the default where the file has no such column."""
    if name not in batch.schema.names:
        return [_default(name)] * int(batch.num_rows)
    column = batch.column(name)
    if name == "actions":
        return _tuples(column)
    if name == "decisions":
        return [
            tuple(DecisionResult.model_construct(**own) for own in row)
            for row in column.to_pylist()
        ]
    # An array of objects is far faster than a list made value by value.
    has_all = column.null_count == 0
    return list(column.to_numpy(zero_copy_only=False).tolist() if has_all else column.to_pylist())


def _tuples(column: Any) -> list[tuple[Any, ...]]:
    """The lists of a column, of equal ones the same tuple."""
    values = column.flatten().to_numpy(zero_copy_only=False).tolist()
    ends = np.cumsum(np.diff(column.offsets.to_numpy())).tolist()
    made: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    rows = (tuple(values[start:end]) for start, end in pairwise([0, *ends]))
    return [made.setdefault(row, row) for row in rows]
