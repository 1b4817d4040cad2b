"""The files of a folder of documents, those behind links to folders included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from argo_ml.corpus.cleaning import has_half_surrogate
from argo_ml.corpus.rejected import RejectedFile
from argo_ml.errors import system_reason


@dataclass(slots=True)
class FolderFiles:
    """Files by their names relative to ``folder``, in order, and what could not be entered."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    rejected: list[RejectedFile] = field(default_factory=list)


def list_folder(folder: Path) -> FolderFiles:
    """Visible files; a folder that links lead to several times, or in a circle, counts once."""
    listing = FolderFiles(folder)
    entered: set[tuple[int, int]] = set()
    links: list[Path] = [folder]
    # Folders themselves before links to them, so that a link changes no name.
    while links:
        links.sort()
        links.extend(_add_files(listing, links.pop(0), entered))
    listing.files = dict(sorted(listing.files.items()))
    listing.rejected.sort(key=lambda rejected: rejected.name)
    return listing


def _add_files(listing: FolderFiles, top: Path, entered: set[tuple[int, int]]) -> Iterator[Path]:
    """Add the files below a folder; gives the links to folders that were met."""

    def refuse(error: OSError) -> None:
        _reject(listing, Path(os.fsdecode(error.filename)), system_reason(error))

    waiting = [top]
    while waiting:
        path = waiting.pop()
        # Without what is below it: Python's own walk calls itself for every level.
        listed = next(os.walk(path, onerror=refuse), None)
        if listed is None:
            continue
        _, folders, names = listed
        status = path.stat()
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        below = [path / name for name in sorted(folders) if not name.startswith(".")]
        yield from (place for place in below if place.is_symlink())
        waiting.extend(place for place in reversed(below) if not place.is_symlink())
        for name in names:
            if not name.startswith("."):
                _add_file(listing, path / name)


def _add_file(listing: FolderFiles, path: Path) -> None:
    name = path.relative_to(listing.folder).as_posix()
    if has_half_surrogate(name):
        _reject(listing, path, "its name is not UTF-8; rename it")
    elif path.is_file():
        listing.files[name] = path
    elif path.is_symlink():
        _reject(listing, path, "a link to nothing")


def _reject(listing: FolderFiles, path: Path, reason: str) -> None:
    name = path.relative_to(listing.folder).as_posix()
    shown = os.fsencode(name).decode("utf-8", "replace")
    listing.rejected.append(RejectedFile(shown, reason))
