"""What a corpus is made of, and the retriever contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argo_ml.types import Evidence

Vectors = NDArray[np.float32]
"""Rows of unit length, one per text."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text before it is split into passages; ``id`` is unique in its corpus.

    ``title`` is the document's or section's title, ``source`` where a reader can find it.
    """

    id: str
    text: str
    title: str = ""
    source: str = ""


class Retriever(Protocol):
    """Finds passages for queries, the most similar first."""

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]: ...

    def embed(self, queries: Sequence[str]) -> Vectors:
        """The vectors that the queries are looked up by."""
