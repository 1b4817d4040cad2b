"""What a reader makes of a file: its sections, or the reason why it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Section:
    """Text under a heading; ``titles`` are the headings above it, the document's first."""

    titles: tuple[str, ...]
    text: str


class UnreadableError(Exception):
    """Why a file cannot be read, in a few words."""


ReadSections = Callable[[Path], list[Section]]


def read_plain(path: Path) -> list[Section]:
    """Plain text as one section without a heading."""
    return [Section((), read_utf8(path))]


def read_utf8(path: Path) -> str:
    """Raises `UnreadableError` for another encoding."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise UnreadableError(f"not UTF-8: byte 0x{wrong:02x} at {error.start}") from None
