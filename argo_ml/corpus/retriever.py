"""Retrieval from a Chroma collection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from chromadb import Collection, QueryResult
from chromadb.errors import ChromaError
from numpy.typing import NDArray

from argo_ml.corpus.embedding import Embedder, Vectors
from argo_ml.errors import CorpusIndexError, one_line
from argo_ml.types import Evidence, Passage

REMEMBERED_QUERIES = 10_000
MARGIN = 8
"""Passages asked for beyond the wanted ones, so that equally similar ones are ordered by id."""

SIMILARITY_DECIMALS = 6
"""Beyond these a similarity depends on the batch that its query was embedded in."""


class QueryVectors:
    """Vectors of queries, the last ``n_remembered`` of them kept."""

    def __init__(self, embedder: Embedder, n_remembered: int = REMEMBERED_QUERIES) -> None:
        self._embedder = embedder
        self._n_remembered = n_remembered
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __call__(self, queries: Sequence[str]) -> Vectors:
        """One row per query; new ones are embedded in one call."""
        rows = {query: self._known[query] for query in queries if query in self._known}
        new = [query for query in dict.fromkeys(queries) if query not in rows]
        if new:
            rows.update(zip(new, self._embedder.embed_queries(new), strict=True))
        for query in queries:
            self._known[query] = rows[query]
            self._known.move_to_end(query)
        while len(self._known) > self._n_remembered:
            self._known.popitem(last=False)
        return np.stack([rows[query] for query in queries])


class ChromaRetriever:
    """Finds the passages whose vectors are nearest to a query's by cosine."""

    def __init__(self, collection: Collection, embedder: Embedder) -> None:
        self._collection = collection
        self._n_passages = collection.count()
        self._vectors = QueryVectors(embedder)

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """For each query ``top_k`` passages, or all where there are fewer.

        Equally similar passages come in the order of their ids. Raises `CorpusIndexError`.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        if not queries:
            return []
        try:
            result = self._collection.query(
                query_embeddings=self._vectors(queries),
                n_results=min(top_k + MARGIN, self._n_passages),
                include=["distances", "documents", "metadatas"],
            )
        except ChromaError as error:
            reason = one_line(error)
            raise CorpusIndexError(
                f"{self._collection.name}: the index cannot be searched ({reason}); "
                "run argo-ml index with the same parameters to check it"
            ) from None
        return [_best(result, row, top_k) for row in range(len(queries))]

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self._vectors(queries)


def _best(result: QueryResult, row: int, top_k: int) -> tuple[Evidence, ...]:
    distances, texts, metadatas = result["distances"], result["documents"], result["metadatas"]
    if distances is None or texts is None or metadatas is None:
        raise TypeError("Chroma left out what was asked for")
    hits = [
        Evidence(
            Passage(key, text, str(metadata["title"]), str(metadata["source"])),
            round(1.0 - float(distance), SIMILARITY_DECIMALS),
        )
        for key, distance, text, metadata in zip(
            result["ids"][row], distances[row], texts[row], metadatas[row], strict=True
        )
    ]
    hits.sort(key=lambda hit: (-hit.similarity, hit.passage.id))
    return tuple(hits[:top_k])
