"""Readers of document files, by suffix."""

from collections.abc import Mapping
from types import MappingProxyType

from argo_ml.corpus.readers.base import ReadFile, Reading, Section, UnreadableError
from argo_ml.corpus.readers.html import read_html
from argo_ml.corpus.readers.markdown import read_markdown
from argo_ml.corpus.readers.office import read_docx, read_pdf
from argo_ml.corpus.readers.plain import read_plain
from argo_ml.corpus.readers.rst import read_rst

READERS: Mapping[str, ReadFile] = MappingProxyType(
    {
        ".docx": read_docx,
        ".htm": read_html,
        ".html": read_html,
        ".md": read_markdown,
        ".pdf": read_pdf,
        ".rst": read_rst,
        ".txt": read_plain,
    }
)

__all__ = ["READERS", "ReadFile", "Reading", "Section", "UnreadableError"]
