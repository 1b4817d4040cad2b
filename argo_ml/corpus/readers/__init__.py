"""Readers of document files, by suffix."""

from collections.abc import Mapping
from types import MappingProxyType

from argo_ml.corpus.readers.base import ReadSections, Section, UnreadableError, read_plain
from argo_ml.corpus.readers.markdown import read_markdown
from argo_ml.corpus.readers.office import read_marked_up, read_pdf
from argo_ml.corpus.readers.rst import read_rst

READERS: Mapping[str, ReadSections] = MappingProxyType(
    {
        ".docx": read_marked_up,
        ".htm": read_marked_up,
        ".html": read_marked_up,
        ".md": read_markdown,
        ".pdf": read_pdf,
        ".rst": read_rst,
        ".txt": read_plain,
    }
)

__all__ = ["READERS", "ReadSections", "Section", "UnreadableError"]
