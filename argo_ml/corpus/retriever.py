"""Retrieval from a Chroma collection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from chromadb import Collection, GetResult, Include, QueryResult
from chromadb.errors import ChromaError
from numpy.typing import NDArray

from argo_ml.corpus.embedding import Embedder, Vectors
from argo_ml.corpus.exact_search import ExactSearch
from argo_ml.corpus.index import reaches_all, unsearchable
from argo_ml.corpus.pages import pages
from argo_ml.corpus.splitting import embedded_text
from argo_ml.types import Evidence, Passage

REMEMBERED_QUERIES = 10_000
MARGIN = 8
"""Passages asked for beyond the wanted ones, so that equally similar ones are ordered by id."""

WIDENED = 400
"""Passages asked for where so many are equally similar that the margin does not show the last."""

TEXT_PAGE = 2_000
"""Passages whose texts are read at once."""

LARGEST_ANSWER = 30_000
"""Passages that one call finds for all of its queries: Chroma reads them by one statement, and
SQLite takes 32,766 variables."""

SIMILARITY_DECIMALS = 6
"""Beyond these a similarity depends on the batch that its query was embedded in."""


_Search = Callable[[Vectors, int], list[list[Evidence]]]


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
        self._exact_search = ExactSearch(collection, self._n_passages, SIMILARITY_DECIMALS)
        try:
            self._reaches_all = reaches_all(collection)
        except ChromaError as error:
            raise unsearchable(collection, error) from None

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """For each query ``top_k`` passages, or all where there are fewer.

        Equally similar passages come in the order of their ids. Raises `CorpusIndexError`.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        if not queries:
            return []
        try:
            hits = self._search(self._vectors(queries), top_k)
        except ChromaError as error:
            raise unsearchable(self._collection, error) from None
        return [tuple(evidence[:top_k]) for evidence in hits]

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self._vectors(queries)

    def evidence(
        self, queries: Sequence[str], rankings: Sequence[Sequence[str]]
    ) -> list[tuple[Evidence, ...]]:
        """The passages of these ids for each query, in the order given, with their cosines.

        Raises `CorpusIndexError`.
        """
        ids = sorted({key for ranking in rankings for key in ranking})
        if not ids:
            return [() for _ in queries]
        passages: dict[str, Passage] = {}
        vectors: dict[str, NDArray[np.float64]] = {}
        try:
            for got in self._pages(ids, ["documents", "embeddings", "metadatas"]):
                passages |= _passages(got)
                stored = np.asarray(got["embeddings"], dtype=np.float64)
                vectors |= zip(got["ids"], stored, strict=True)
        except ChromaError as error:
            raise unsearchable(self._collection, error) from None

        def hit(key: str, query: NDArray[np.float32]) -> Evidence:
            similarity = float(np.clip(vectors[key] @ query, -1, 1))
            return Evidence(passages[key], round(similarity, SIMILARITY_DECIMALS))

        return [
            tuple(hit(key, query) for key in ranking)
            for query, ranking in zip(self._vectors(queries), rankings, strict=True)
        ]

    def passage_texts(self) -> dict[str, str]:
        """Title and text of every passage, by id. Raises `CorpusIndexError`."""
        texts: dict[str, str] = {}
        try:
            include: Include = ["documents", "metadatas"]
            for got in pages(self._collection, self._n_passages, TEXT_PAGE, include):
                for key, passage in _passages(got).items():
                    texts[key] = embedded_text(passage.title, passage.text)
        except ChromaError as error:
            raise unsearchable(self._collection, error) from None
        return texts

    def _search(self, vectors: Vectors, top_k: int) -> list[list[Evidence]]:
        if not self._reaches_all:
            return self._exact(vectors, top_k)
        hits = self._nearest(vectors, top_k + MARGIN)
        self._replace_cut_ties(hits, vectors, top_k, self._widened)
        # Among hundreds of equal vectors the index does not reach them all.
        self._replace_cut_ties(hits, vectors, top_k, self._exact)
        return hits

    def _replace_cut_ties(
        self, hits: list[list[Evidence]], vectors: Vectors, top_k: int, search: _Search
    ) -> None:
        """Search again for the queries whose last passage is as similar as the one wanted last."""
        cut = [row for row, evidence in enumerate(hits) if self._is_cut(evidence, top_k)]
        if cut:
            for row, evidence in zip(cut, search(vectors[cut], top_k), strict=True):
                hits[row] = evidence

    def _is_cut(self, evidence: list[Evidence], top_k: int) -> bool:
        if len(evidence) >= self._n_passages:
            return False
        return len(evidence) <= top_k or evidence[-1].similarity == evidence[top_k - 1].similarity

    def _nearest(self, vectors: Vectors, n_results: int) -> list[list[Evidence]]:
        n_results = min(n_results, self._n_passages)
        n_queries = max(1, LARGEST_ANSWER // n_results)
        hits: list[list[Evidence]] = []
        for start in range(0, len(vectors), n_queries):
            some = vectors[start : start + n_queries]
            result = self._collection.query(
                query_embeddings=some,
                n_results=n_results,
                include=["distances", "documents", "metadatas"],
            )
            hits.extend(_sorted_hits(result, row) for row in range(len(some)))
        return hits

    def _widened(self, vectors: Vectors, top_k: int) -> list[list[Evidence]]:
        return self._nearest(vectors, max(WIDENED, top_k + MARGIN))

    def _exact(self, vectors: Vectors, top_k: int) -> list[list[Evidence]]:
        best = self._exact_search(vectors, top_k)
        passages: dict[str, Passage] = {}
        ids = sorted({key for hits in best for _, key in hits})
        for got in self._pages(ids, ["documents", "metadatas"]):
            passages |= _passages(got)
        return [[Evidence(passages[key], -minus) for minus, key in hits] for hits in best]

    def _pages(self, ids: list[str], include: Include) -> Iterator[GetResult]:
        for start in range(0, len(ids), TEXT_PAGE):
            yield self._collection.get(ids=ids[start : start + TEXT_PAGE], include=include)


def _sorted_hits(result: QueryResult, row: int) -> list[Evidence]:
    distances, texts, metadatas = result["distances"], result["documents"], result["metadatas"]
    if distances is None or texts is None or metadatas is None:
        raise TypeError("Chroma left out what was asked for")
    hits = [
        Evidence(_passage(key, text, metadata), round(1.0 - float(distance), SIMILARITY_DECIMALS))
        for key, distance, text, metadata in zip(
            result["ids"][row], distances[row], texts[row], metadatas[row], strict=True
        )
    ]
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.passage.id))


def _passages(got: GetResult) -> dict[str, Passage]:
    texts, metadatas = got["documents"] or [], got["metadatas"] or []
    return {
        key: _passage(key, text, metadata)
        for key, text, metadata in zip(got["ids"], texts, metadatas, strict=True)
    }


def _passage(key: str, text: str, metadata: Mapping[str, object]) -> Passage:
    return Passage(key, text, str(metadata["title"]), str(metadata["source"]))
