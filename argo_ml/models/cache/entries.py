"""One finished call, and the row that it is stored as, with a checksum of all that it says."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = Sequence[Any]
"""Values as SQLite gives them: after damage of any type."""

COLUMNS = "key, model, kind, output, prompt_tokens, output_tokens, seconds, payer, checksum"
"""In the order of rows; texts are read as bytes, since damaged ones need not be UTF-8."""

_NUMBERS = struct.Struct("<qqd")
_PAYMENT_NUMBERS = struct.Struct("<qqqqd")


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished call: ``output`` and ``output_tokens`` are JSON, ``billed_to`` who executed it."""

    key: str
    kind: str
    output: str
    prompt_tokens: int
    output_tokens: str
    seconds: float
    billed_to: str


def to_row(model: int, entry: Entry) -> Row:
    """The values of `COLUMNS`."""
    row = (
        entry.key,
        model,
        entry.kind,
        entry.output,
        entry.prompt_tokens,
        entry.output_tokens,
        entry.seconds,
        entry.billed_to,
    )
    encoded: list[Any] = [value.encode() if isinstance(value, str) else value for value in row]
    return (*row, row_checksum(*encoded))


def from_row(row: Row) -> Entry | None:
    """The call of a row of `COLUMNS`, or None where it is not what was stored."""
    key, _, kind, output, prompt_tokens, output_tokens, seconds, payer, checksum = row
    try:
        if row_checksum(*row[:-1]) != checksum:
            return None
    except (TypeError, struct.error):
        return None
    return Entry(
        key.decode(),
        kind.decode(),
        output.decode(),
        prompt_tokens,
        output_tokens.decode(),
        float(seconds),
        payer.decode(),
    )


def row_checksum(
    key: bytes,
    model: int,
    kind: bytes,
    output: bytes,
    prompt_tokens: int,
    output_tokens: bytes,
    seconds: float,
    payer: bytes,
) -> int:
    """Raises `TypeError` or `struct.error` for values of other types."""
    # None of the texts holds a zero byte, so what one ends with cannot begin the next.
    texts = b"\0".join((key, kind, output, output_tokens, payer))
    return _digest(texts + _NUMBERS.pack(model, prompt_tokens, seconds))


def model_checksum(model: int, identity: bytes) -> int:
    """Of a row of the table of models."""
    return _digest(b"%d %s" % (model, identity))


def payment_checksum(
    payer: Any,
    model: Any,
    kind: Any,
    executed: Any,
    unsettled: Any,
    prompt_tokens: Any,
    output_tokens: Any,
    seconds: Any,
) -> int | None:
    """Of a total of the ledger; None for values of types that no such row has."""
    try:
        numbers = _PAYMENT_NUMBERS.pack(executed, unsettled, prompt_tokens, output_tokens, seconds)
        return _digest(b"\0".join((b"payment", payer, model, kind)) + numbers)
    except (TypeError, struct.error):
        return None


def repetition_checksum(payer: object, key: object) -> int | None:
    """Of a repetition in the ledger; None for values that are no texts."""
    texts = [text.encode() if isinstance(text, str) else text for text in (payer, key)]
    try:
        return _digest(b"\0".join((b"repetition", *texts)))  # type: ignore[arg-type]
    except TypeError:
        return None


def _digest(content: bytes) -> int:
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
