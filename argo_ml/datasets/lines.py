"""Files with one JSON value a line."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from argo_ml.datasets.base import RejectedLine
from argo_ml.errors import DataError, system_reason

Value = TypeVar("Value")
_GZIP = b"\x1f\x8b"

LARGEST_FILE = 2 * 1024**3
"""Bytes, unpacked; a hundred thousand outcomes with their signals take some hundred megabytes."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of one question."""


SHOWN = 40
"""Characters of a bad value that an error shows."""


class LineError(ValueError):
    """Why a line is not a question; its message becomes the reason of a `RejectedLine`."""


@dataclass(frozen=True, slots=True)
class ParsedLines(Generic[Value]):
    values: tuple[Value, ...]
    rejected: tuple[RejectedLine, ...]

    @property
    def n_lines(self) -> int:
        return len(self.values) + len(self.rejected)


def parse_lines(
    path: Path, parse: Callable[[object, int], Value], parameter: str = "questions"
) -> ParsedLines[Value]:
    """Give every line's JSON value and number to ``parse``, which raises `LineError` to reject it.

    A file may be compressed by gzip. Raises `DataError`, naming the ``parameter`` that gave the
    path, if it cannot be read as UTF-8 text.
    """
    values: list[Value] = []
    rejected: list[RejectedLine] = []
    for number, line in enumerate(_read(path, f"{parameter}={path}"), 1):
        try:
            values.append(parse(decode_line(line), number))
        except LineError as error:
            rejected.append(RejectedLine(path.name, number, str(error)))
    return ParsedLines(tuple(values), tuple(rejected))


def shown(value: object) -> str:
    """The beginning of a bad value as it stands in the file."""
    return json.dumps(value, ensure_ascii=False, default=str)[:SHOWN]


def required_text(value: object, name: str) -> str:
    """``value`` without surrounding space; `LineError` unless it is a text that says something."""
    if not isinstance(value, str):
        raise LineError(f"{name} is not a text")
    text = value.strip()
    if not text:
        raise LineError(f"{name} is empty")
    return text


def check_finite(value: object, name: str) -> None:
    """Raises `LineError` for a number that JSON itself does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        raise LineError(f"{name} is {value}, not a finite number; empty cells become nan")


def _read(path: Path, given: str) -> Iterator[str | None]:
    """Lines without their ends; None for one that is too long."""
    if path.is_dir():
        raise DataError(f"{given}: is a folder; give a file")
    try:
        with path.open("rb") as file:
            is_packed = file.peek(2).startswith(_GZIP)
            yield from _unpacked(file, given) if is_packed else _text_lines(file, given)
    except FileNotFoundError:
        raise DataError(f"{given}: no such file") from None
    except OSError as error:
        raise DataError(f"{given}: cannot be read ({system_reason(error)})") from None


def _text_lines(file: IO[bytes] | gzip.GzipFile, given: str) -> Iterator[str | None]:
    offset, is_rest = 0, False
    while line := file.readline(LONGEST_LINE):
        is_whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
        if is_whole and not is_rest:
            yield _text(line, offset, given)
        elif is_whole:
            yield None
        is_rest = not is_whole
        offset += len(line)
        if offset > LARGEST_FILE:
            raise DataError(f"{given}: more than {LARGEST_FILE:,} bytes; split it")
    if is_rest:
        yield None


def _text(line: bytes, offset: int, given: str) -> str:
    try:
        return line.decode("utf-8-sig" if not offset else "utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise DataError(f"{given}: not UTF-8 text (byte {place}); save it as UTF-8") from None


def _unpacked(file: IO[bytes], given: str) -> Iterator[str | None]:
    """The lines of a file that is compressed by gzip, whatever its name."""
    try:
        with gzip.open(file) as unpacked:
            yield from _text_lines(unpacked, given)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{given}: is damaged or cut off ({error}); compress it again") from None


def decode_line(line: str | None) -> object:
    """The JSON value of a line, None of one that is too long. Raises `LineError`."""
    if line is None:
        raise LineError(f"more than {LONGEST_LINE} bytes")
    if not line.strip():
        raise LineError("empty line")
    try:
        value: object = json.loads(line)
        if "\\ud" in line or "\\uD" in line:
            # What was read as UTF-8 has halves of pairs nowhere but in such escapes.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineError("holds half of a surrogate pair, which is no character") from None
    except (json.JSONDecodeError, RecursionError):
        raise LineError("not JSON") from None
    except ValueError:
        raise LineError("holds a number of thousands of digits") from None
    return value
