"""Readers of document files, by suffix."""

from argo_ml.corpus.readers.base import ReadFile, Reading, Section, UnreadableError
from argo_ml.corpus.readers.reading import READERS, read_file

__all__ = ["READERS", "ReadFile", "Reading", "Section", "UnreadableError", "read_file"]
