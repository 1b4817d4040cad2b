"""The retriever contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from argo_ml.types import Evidence


class Retriever(Protocol):
    """Finds passages for queries, the most similar first."""

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]: ...
