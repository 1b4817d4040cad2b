"""What parsing a document came to, kept so that a known file is not parsed again.

It is named by the file's content and kind, the limits, and the code and packages that parse, and
found by that name alone. What could not be read is not kept: another try may find more time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import argo_ml.corpus
from argo_ml.corpus.readers.base import Reading, Section, UnreadableError
from argo_ml.corpus.readers.reading import LARGEST_FILE_MB, MIB
from argo_ml.models.digests import file_sha256
from argo_ml.models.sealed_json import (
    code_digest,
    content_key,
    installed_version,
    read_sealed,
    write_sealed,
)

Readings = Generator[Reading | UnreadableError, None, None]
PACKAGES = (
    "beautifulsoup4",
    "charset-normalizer",
    "docutils",
    "mammoth",
    "markdown-it-py",
    "markitdown",
    "pdfminer.six",
    "pdfplumber",
)


class KeptReadings:
    """Those in ``folder``, of files read within ``limits``."""

    def __init__(self, folder: Path, limits: object) -> None:
        self._folder = folder
        self._read_by = [
            str(limits),
            code_digest(list(map(Path, argo_ml.corpus.__path__))),
            list(sys.version_info[:2]),
            [installed_version(name) for name in PACKAGES],
        ]

    def read_once(
        self, files: Sequence[Path], read: Callable[[Sequence[Path]], Readings]
    ) -> Readings:
        """What is kept of the files as they are, and what ``read`` makes of others, in order."""
        places = [self._place(file) for file in files]
        known = [_kept(place) for place in places]
        new = [file for file, reading in zip(files, known, strict=True) if reading is None]
        with closing(read(new)) as readings:
            for number, (file, place) in enumerate(zip(files, places, strict=True)):
                # Each is held no longer than until it is given.
                reading, known[number] = known[number], None
                if reading is None:
                    made = next(readings)
                    self._keep(place, file, made)
                    yield made
                else:
                    yield reading

    def _place(self, file: Path) -> Path | None:
        """Where the reading of a file as it is now is kept; None for one that is not read."""
        try:
            if file.stat().st_size > LARGEST_FILE_MB * MIB:
                return None
            digest = file_sha256(file)
        except OSError:
            return None
        return self._folder / f"{content_key([digest, file.suffix.lower(), self._read_by])}.json"

    def _keep(self, place: Path | None, file: Path, made: Reading | UnreadableError) -> None:
        """Unless it could not be read, or has changed meanwhile."""
        if place is not None and isinstance(made, Reading) and self._place(file) == place:
            sections = [[section.titles, section.text] for section in made.sections]
            write_sealed(place, {"sections": sections, "guess": made.guess})


def _kept(place: Path | None) -> Reading | None:
    kept = None if place is None else read_sealed(place)
    if kept is None:
        return None
    sections = [Section(tuple(titles), text) for titles, text in kept["sections"]]
    return Reading(sections, kept["guess"])
