"""Plain text: one section, no heading."""

from __future__ import annotations

from pathlib import Path

from argo_ml.corpus.readers.base import Section, read_utf8


def read_plain(path: Path) -> list[Section]:
    return [Section((), read_utf8(path))]
