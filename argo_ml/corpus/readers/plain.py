"""Plain text."""

from __future__ import annotations

from pathlib import Path

from argo_ml.corpus.readers.base import Reading, Section
from argo_ml.corpus.readers.encodings import decode


def read_plain(path: Path) -> Reading:
    """Plain text as one section without a heading."""
    decoded = decode(path.read_bytes())
    return Reading([Section((), decoded.text)], decoded.guess)
