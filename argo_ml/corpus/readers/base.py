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


@dataclass(frozen=True, slots=True)
class Reading:
    """The sections of a file, and how its bytes were read where they did not say it themselves."""

    sections: list[Section]
    guess: str = ""


class UnreadableError(Exception):
    """Why a file cannot be read, in a few words."""


ReadFile = Callable[[Path], Reading]


def below_title(title: str, sections: list[Section]) -> list[Section]:
    """The sections with the document's own title above their headings."""
    if not title:
        return sections
    return [
        section
        if section.titles[:1] == (title,)
        else Section((title, *section.titles), section.text)
        for section in sections
    ]
