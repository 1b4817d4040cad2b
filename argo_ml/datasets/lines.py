"""Files with one JSON value a line."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from argo_ml.datasets.base import RejectedLine
from argo_ml.errors import DataError

Value = TypeVar("Value")
_GZIP = b"\x1f\x8b"
_MOST_BYTES = 2**31
"""What a compressed file may unpack to."""


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
            values.append(parse(_decode(line), number))
        except LineError as error:
            rejected.append(RejectedLine(path.name, number, str(error)))
    return ParsedLines(tuple(values), tuple(rejected))


def required_text(value: object, name: str) -> str:
    """``value`` without surrounding space; `LineError` unless it is a text that says something."""
    if not isinstance(value, str):
        raise LineError(f"{name} is not a text")
    text = value.strip()
    if not text:
        raise LineError(f"{name} is empty")
    return text


def _read(path: Path, given: str) -> list[str]:
    if path.is_dir():
        raise DataError(f"{given}: is a folder; give a file")
    try:
        lines = _unpacked(path.read_bytes(), given).decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{given}: no such file") from None
    except OSError as error:
        raise DataError(f"{given}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{given}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return lines if lines[-1] else lines[:-1]


def _unpacked(content: bytes, given: str) -> bytes:
    """The content of a file that may be compressed by gzip, whatever its name."""
    if not content.startswith(_GZIP):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{given}: is damaged or cut off ({error}); compress it again") from None
    if len(unpacked) > _MOST_BYTES:
        raise DataError(f"{given}: unpacks to more than {_MOST_BYTES:,} bytes; split it")
    return unpacked


def _decode(line: str) -> object:
    if not line.strip():
        raise LineError("empty line")
    try:
        value: object = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineError("holds half of a surrogate pair, which is no character") from None
    except (json.JSONDecodeError, RecursionError):
        raise LineError("not JSON") from None
    except ValueError:
        raise LineError("holds a number of thousands of digits") from None
    return value
