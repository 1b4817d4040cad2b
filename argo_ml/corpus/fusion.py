"""Retrieval by vectors and by words together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from argo_ml.corpus.base import Vectors
from argo_ml.corpus.bm25 import BM25Retriever
from argo_ml.types import Evidence

RANK_CONSTANT = 60
"""k of Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009, who found it robust."""
DEPTH = 100
"""Passages of each ranking that are fused."""
DECIMALS = 12


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Ids by the sum over rankings of 1 / (k + rank), the largest first; equals in their order."""
    sums: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            sums[key] += 1.0 / (RANK_CONSTANT + rank)
    return sorted(sums, key=lambda key: (-round(sums[key], DECIMALS), key))


class HybridRetriever:
    """Fuses the nearest passages by cosine with those that share the most telling words.

    Similarity is the cosine, as everywhere, and not what the passages are ordered by.
    """

    def __init__(self, by_words: BM25Retriever) -> None:
        self.dense = by_words.dense
        self._by_words = by_words

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """Raises `CorpusIndexError`."""
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        depth = max(DEPTH, top_k)
        nearest = self.dense.retrieve(queries, depth)
        fused = [
            reciprocal_rank_fusion(
                [
                    [hit.passage.id for hit in evidence],
                    self._by_words.ranked(query, depth, least=0.0),
                ]
            )
            for query, evidence in zip(queries, nearest, strict=True)
        ]
        return self.dense.evidence(queries, [ids[:top_k] for ids in fused])

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self.dense.embed(queries)
