"""What of a corpus was not used, and what was used with a doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

NOTICES = frozenset({"ATTRIBUTION", "COPYING", "LICENCE", "LICENSE", "NOTICE"})
"""Names, in capitals, of files about the rights in a folder's documents: no documents."""

NO_TEXT = "no text"
"""Why a page that only lists other pages is rejected."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file, or a line of one, that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class GuessedEncoding:
    """A file that says nothing true about its encoding, and what it was read as."""

    name: str
    encoding: str


def ignored_in_words(names: Sequence[str], known_suffixes: Sequence[str]) -> str:
    """Which files of a folder are no documents and why, in one line; empty for none."""
    notices = [name for name in names if PurePath(name).stem in NOTICES]
    kinds = Counter(
        PurePath(name).suffix.lower() or "no ending"
        for name in names
        if PurePath(name).stem not in NOTICES
    )
    parts = []
    if kinds:
        listed = ", ".join(f"{n} with {kind}" for kind, n in sorted(kinds.items()))
        parts.append(f"{listed} (documents end in {' '.join(known_suffixes)})")
    if notices:
        more = f" and {len(notices) - _SHOWN} more" if len(notices) > _SHOWN else ""
        parts.append(f"{', '.join(notices[:_SHOWN])}{more} (about rights)")
    return f"left out of the corpus: {'; '.join(parts)}" if parts else ""
