"""What a corpus is made of, and the retriever contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argo_ml.corpus.rejected import RejectedFile
from argo_ml.types import Evidence

Vectors = NDArray[np.float32]
"""Rows of unit length, one per text."""


LARGEST_ERROR = 0.3


@dataclass(frozen=True, slots=True)
class SimilarityLimit:
    """From which similarity on a passage counts as found, as measured on a corpus.

    ``unrelated_above`` and ``related_below`` are the shares on the wrong side of it.
    """

    min_similarity: float
    unrelated_above: float
    related_below: float

    @property
    def separates(self) -> bool:
        """Whether the embedder tells related from unrelated at all: of texts in a language that it
        does not know it does not."""
        return max(self.unrelated_above, self.related_below) <= LARGEST_ERROR


class Retriever(Protocol):
    """Finds passages for queries, the most similar first."""

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]: ...

    def embed(self, queries: Sequence[str]) -> Vectors:
        """Vectors (queries, dimensions) that the queries are searched by."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """An indexed corpus.

    ``digest`` changes with everything that can change what is retrieved: the passages, how they
    were split and embedded, and how they are searched. ``was_built`` is False where the index was
    there already; ``rejected`` are the files that could not be read, and ``ignored`` says in words
    which others are no documents.
    """

    retriever: Retriever
    digest: str
    source: str
    n_passages: int
    collection: str
    was_built: bool
    rejected: tuple[RejectedFile, ...] = ()
    ignored: str = ""
    measure_limit: Callable[[], SimilarityLimit | None] = lambda: None
    """Measures from which similarity on a passage counts as found; None where it cannot."""
