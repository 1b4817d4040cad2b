"""What a corpus is made of, and the retriever contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argo_ml.types import Evidence

Vectors = NDArray[np.float32]
"""Rows of unit length, one per text."""


class Retriever(Protocol):
    """Finds passages for queries, the most similar first."""

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]: ...

    def embed(self, queries: Sequence[str]) -> Vectors:
        """Vectors (queries, dimensions) that the queries are searched by."""
