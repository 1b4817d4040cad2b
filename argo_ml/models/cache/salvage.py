"""Calls read out of a damaged SQLite file page by page, whatever its headers and trees say.

The checksum of every row tells a call from anything else that the bytes of a page might be taken
for. The format is that of https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4.1.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argo_ml.models.cache.entries import (
    Row,
    from_row,
    model_checksum,
    repetition_checksum,
    row_checksum,
)
from argo_ml.models.cache.ledger import payment_of

PAGE_SIZE = 4096
"""SQLite's own; files of this package have no other."""
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 0x02, 0x0A, 0x0D
_FILE_HEADER = 100
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MOST_IN_PAGE = (PAGE_SIZE - 12) * 64 // 255 - 23
_LEAST_IN_PAGE = (PAGE_SIZE - 12) * 32 // 255 - 23
_KEY_LENGTH = 64
_MALFORMED = (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True)
class SalvagedCall:
    """A row of `COLUMNS`, and when its call was made and last used."""

    row: Row
    created: float
    last_used: float


@dataclass(slots=True)
class Salvaged:
    """What could be read, calls by key and models' identities by id.

    ``unchecked`` are calls of a file that was written before rows had checksums. ``payments`` and
    ``repetitions`` are rows of the ledger.
    """

    calls: dict[bytes, SalvagedCall] = field(default_factory=dict)
    unchecked: dict[bytes, SalvagedCall] = field(default_factory=dict)
    models: dict[int, bytes] = field(default_factory=dict)
    unchecked_models: dict[int, bytes] = field(default_factory=dict)
    payments: dict[tuple[bytes, ...], Row] = field(default_factory=dict)
    repetitions: set[tuple[Any, ...]] = field(default_factory=set)

    def add(self, row_id: int, values: Sequence[Any]) -> None:
        """Take a record that is one of ours; others are left."""
        if len(values) == 11:
            call = SalvagedCall((*values[:8], values[10]), values[8], values[9])
            if from_row(call.row):
                self.calls[values[0]] = call
        elif len(values) == 10 and _is_plausible(values):
            row = (*values[:8], row_checksum(*values[:8]))
            self.unchecked[values[0]] = SalvagedCall(row, values[8], values[9])
        elif len(values) == 9 and payment_of(values):
            # Of a total that is on several pages the latest is the largest.
            key = (*values[:3],)
            if key not in self.payments or self.payments[key][3] <= values[3]:
                self.payments[key] = values
        elif len(values) == 4 and repetition_checksum(values[0], values[1]) == values[3]:
            self.repetitions.add((*values,))
        elif len(values) == 3 and model_checksum(row_id, values[1]) == values[2]:
            self.models[row_id] = values[1]
        elif len(values) == 2 and isinstance(values[1], bytes) and values[0] is None:
            self.unchecked_models[row_id] = values[1]


def salvage(path: Path) -> Salvaged:
    """Read the file and the write-ahead log beside it. Raises `OSError`."""
    salvaged = Salvaged()
    with _mapped(path) as main, _mapped(path.with_name(f"{path.name}-wal")) as log:
        pages = _Pages(main, log)
        for page in pages:
            for row_id, payload in _payloads(page, pages):
                with contextlib.suppress(*_MALFORMED):
                    salvaged.add(row_id, _record(payload))
    return salvaged


class _Pages:
    """All pages of a file and its log; by number the newest."""

    def __init__(self, main: bytes | mmap.mmap, log: bytes | mmap.mmap) -> None:
        self._main = main
        self._log = log
        step = _FRAME_HEADER + PAGE_SIZE
        self._frames = range(_WAL_HEADER, len(log) - step + 1, step)
        self._newest = {
            int.from_bytes(log[start : start + 4], "big"): start for start in self._frames
        }

    def __iter__(self) -> Iterator[bytes]:
        # A cut file may end within a page.
        for start in range(0, len(self._main), PAGE_SIZE):
            yield self._main[start : start + PAGE_SIZE].ljust(PAGE_SIZE, b"\0")
        for start in self._frames:
            yield self._frame(start)

    def __getitem__(self, number: int) -> bytes:
        if number in self._newest:
            return self._frame(self._newest[number])
        start = (number - 1) * PAGE_SIZE
        if not 0 <= start < len(self._main):
            raise IndexError(number)
        return self._main[start : start + PAGE_SIZE]

    def _frame(self, start: int) -> bytes:
        return self._log[start + _FRAME_HEADER : start + _FRAME_HEADER + PAGE_SIZE]


def _payloads(page: bytes, pages: _Pages) -> Iterator[tuple[int, bytes]]:
    """The row id, 0 where there is none, and the record of every cell of a page."""
    start = _FILE_HEADER if page.startswith(b"SQLite") else 0
    kind = page[start]
    if kind not in (_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF):
        return
    pointers = start + (12 if kind == _INDEX_INTERIOR else 8)
    [n_cells] = struct.unpack_from(">H", page, start + 3)
    for index in range(min(n_cells, (PAGE_SIZE - pointers) // 2)):
        with contextlib.suppress(*_MALFORMED):
            [offset] = struct.unpack_from(">H", page, pointers + 2 * index)
            # SQLite takes an offset modulo the size of a page as well.
            yield _cell(page, kind, offset % PAGE_SIZE, pages)


def _cell(page: bytes, kind: int, offset: int, pages: _Pages) -> tuple[int, bytes]:
    if kind == _INDEX_INTERIOR:
        offset += 4
    length, offset = _variable_integer(page, offset)
    row_id = 0
    if kind == _TABLE_LEAF:
        row_id, offset = _variable_integer(page, offset)
    most = PAGE_SIZE - 35 if kind == _TABLE_LEAF else _MOST_IN_PAGE
    if length <= most:
        return row_id, page[offset : offset + length]
    n_here = _LEAST_IN_PAGE + (length - _LEAST_IN_PAGE) % (PAGE_SIZE - 4)
    if n_here > most:
        n_here = _LEAST_IN_PAGE
    rest = _overflow(page[offset + n_here : offset + n_here + 4], length - n_here, pages)
    return row_id, page[offset : offset + n_here] + rest


def _overflow(pointer: bytes, length: int, pages: _Pages) -> bytes:
    """``length`` bytes of the chain of pages that begins at ``pointer``."""
    parts: list[bytes] = []
    while length > 0:
        page = pages[int.from_bytes(pointer, "big")]
        parts.append(page[4 : 4 + length])
        pointer, length = page[:4], length - (PAGE_SIZE - 4)
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    """The values of a record, texts as bytes."""
    end, position = _variable_integer(payload, 0)
    values: list[Any] = []
    body = end
    while position < end:
        code, position = _variable_integer(payload, position)
        value, length = _value(payload, body, code)
        values.append(value)
        body += length
    return values


def _value(payload: bytes, start: int, code: int) -> tuple[Any, int]:
    if code >= 12:
        length = (code - 12) // 2
        return payload[start : start + length], length
    if code == 7:
        return struct.unpack_from(">d", payload, start)[0], 8
    if code in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[code], 0
    length = _INTEGER_BYTES[code]
    return int.from_bytes(payload[start : start + length], "big", signed=True), length


def _variable_integer(data: bytes, offset: int) -> tuple[int, int]:
    """An integer of up to nine bytes, and where the next value begins."""
    value = 0
    for index in range(8):
        byte = data[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    return value << 8 | data[offset + 8], offset + 9


def _is_plausible(values: Sequence[Any]) -> bool:
    """Whether a row without checksum has the form of a call."""
    key, _, _, output, prompt_tokens, output_tokens, seconds, payer = values[:8]
    int(key, 16), json.loads(output), json.loads(output_tokens), payer.decode()
    return len(key) == _KEY_LENGTH and prompt_tokens >= 0 and 0 <= seconds < math.inf


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    """The bytes of a file; none of one that is empty or not there."""
    if not path.exists() or not path.stat().st_size:
        yield b""
        return
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        yield content
