"""Search by all vectors of a collection, for where an approximate one cannot decide."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from typing import cast

import numpy as np
from chromadb import Collection, GetResult
from numpy.typing import NDArray

from argo_ml.corpus.base import Vectors
from argo_ml.corpus.pages import pages

PAGE = 2048
"""Vectors fetched together."""

HELD_VECTORS = 100_000
"""Collections up to this size are fetched once and kept; larger ones for every search."""

_Page = tuple[list[str], NDArray[np.float64]]
_Hit = tuple[float, str]
"""Minus the similarity, and the passage's id: in the order of hits."""


class ExactSearch:
    def __init__(self, collection: Collection, n_passages: int, decimals: int) -> None:
        self._collection = collection
        self._n_passages = n_passages
        self._decimals = decimals
        self._held: list[_Page] = []

    def __call__(self, vectors: Vectors, top_k: int) -> list[list[_Hit]]:
        """The best hits of every query; equally similar ones in the order of their ids."""
        best: list[list[_Hit]] = [[] for _ in vectors]
        for ids, page in self._pages():
            # In double precision equal vectors are equally similar wherever they stand.
            rows = np.round(vectors.astype(np.float64) @ page.T, self._decimals)
            best = [
                nsmallest(top_k, [*hits, *_candidates(ids, row, top_k)])
                for hits, row in zip(best, rows, strict=True)
            ]
        return best

    def _pages(self) -> Iterator[_Page]:
        if self._held:
            yield from self._held
            return
        held = []
        for got in pages(self._collection, self._n_passages, PAGE, ["embeddings"]):
            page = _unit_vectors(got)
            if self._n_passages <= HELD_VECTORS:
                held.append(page)
            yield page
        self._held = held


def _unit_vectors(got: GetResult) -> _Page:
    embeddings = np.asarray(cast(Vectors, got["embeddings"]), dtype=np.float64)
    return got["ids"], embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def _candidates(ids: list[str], row: NDArray[np.float64], top_k: int) -> list[_Hit]:
    least = np.partition(row, -top_k)[-top_k] if len(row) > top_k else -np.inf
    return [(-float(row[index]), ids[index]) for index in np.flatnonzero(row >= least)]
