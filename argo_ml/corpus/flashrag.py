"""FlashRAG's corpus format: JSON lines with ``id`` and ``contents``, a title line and its text.

Source: github.com/RUC-NLPIR/FlashRAG, docs/original_docs/building-index.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from argo_ml.corpus.cleaning import has_half_surrogate, without_control_characters
from argo_ml.errors import DataError, one_line, system_reason
from argo_ml.types import Document

LONGEST_TITLE_LINE = 200
"""Characters; a longer first line is text like the rest."""

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of one document."""


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    reason: str


def read_corpus_lines(path: Path) -> Iterator[Document | BadLine]:
    """Every line that is not blank, in order; ids are unique among the documents.

    Raises `DataError` if the file cannot be read.
    """
    first_lines: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if not line.strip():
                    continue
                parsed = _parse(line, path.name)
                if isinstance(parsed, str):
                    yield BadLine(number, parsed)
                elif parsed.id in first_lines:
                    yield BadLine(number, f"repeats the id of line {first_lines[parsed.id]}")
                else:
                    first_lines[parsed.id] = number
                    yield parsed
    except OSError as error:
        raise DataError(f"documents={path}: cannot be read ({system_reason(error)})") from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines; of one that is too long the beginning, which is more than `LONGEST_LINE`."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE + 1)


def _parse(line: bytes, source: str) -> Document | str:
    """The document, or what is wrong with the line."""
    if len(line) > LONGEST_LINE:
        return f"more than {LONGEST_LINE} bytes"
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg})"
    except (ValueError, RecursionError) as error:
        return f"not JSON ({one_line(error)})"
    if not isinstance(record, dict):
        return "not a JSON object"
    key, contents = record.get("id"), record.get("contents")
    if not isinstance(key, (str, int)) or isinstance(key, bool) or key == "":
        return "no id"
    if not isinstance(contents, str) or not contents.strip():
        return "no contents"
    if has_half_surrogate(f"{key}{contents}"):
        return "half a surrogate pair, which is no character"
    title, text = _title_and_text(without_control_characters(contents).strip())
    return Document(str(key), text, title, source)


def _title_and_text(contents: str) -> tuple[str, str]:
    first, _, rest = contents.partition("\n")
    if not rest.strip() or len(first) > LONGEST_TITLE_LINE:
        return "", contents
    return first.strip().strip('"').strip(), rest.strip()
