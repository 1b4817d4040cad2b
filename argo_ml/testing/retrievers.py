"""What every `Retriever` must do.

A test class inherits `RetrieverSuite`, or `RankingSuite`, and defines a fixture ``retriever`` that
holds `DOCUMENTS`.
"""

from __future__ import annotations

import numpy as np
import pytest

from argo_ml.corpus.base import Retriever
from argo_ml.types import Document

DOCUMENTS = (
    Document("france", "Paris is the capital of France.", "France", "atlas"),
    Document("peru", "Lima is the capital of Peru.", "Peru", "atlas"),
    Document("gold", "Gold is a dense yellow metal that does not rust.", "", "elements"),
    Document("twin-b", "The same sentence stands in two documents.", "Twin", "twins"),
    Document("twin-a", "the same sentence stands in two documents.", "Twin", "twins"),
)
QUERIES = ("Which metal is yellow?", "What is the capital of Peru?", "sentence in documents")


class RankingSuite:
    """Lists in, lists out: same length, same order, the same result in any company.

    For retrievers that order passages by something else than similarity, which stays a cosine.
    """

    def test_no_queries_give_no_evidence(self, retriever: Retriever) -> None:
        assert retriever.retrieve([], 3) == []

    def test_similarities_are_cosines(self, retriever: Retriever) -> None:
        for query, evidence in zip(QUERIES, retriever.retrieve(QUERIES, 5), strict=True):
            assert all(-1 <= hit.similarity <= 1 for hit in evidence), query

    def test_evidence_keeps_the_order_of_queries(self, retriever: Retriever) -> None:
        together = retriever.retrieve(QUERIES, 2)
        alone = [retriever.retrieve([query], 2)[0] for query in QUERIES]
        assert together == alone
        assert [evidence[0].passage.id for evidence in together[:2]] == ["gold", "peru"]

    def test_equal_queries_get_equal_evidence(self, retriever: Retriever) -> None:
        first, _, last = retriever.retrieve([QUERIES[0], QUERIES[1], QUERIES[0]], 3)
        assert first == last

    def test_passages_come_as_they_went_in(self, retriever: Retriever) -> None:
        [evidence] = retriever.retrieve(["anything"], len(DOCUMENTS))
        passages = {
            (hit.passage.id, hit.passage.text, hit.passage.title, hit.passage.source)
            for hit in evidence
        }
        assert passages == {(doc.id, doc.text, doc.title, doc.source) for doc in DOCUMENTS}

    def test_gives_all_passages_where_more_are_wanted(self, retriever: Retriever) -> None:
        [evidence] = retriever.retrieve(["Paris"], 1000)
        assert len(evidence) == len(DOCUMENTS)

    def test_fewer_are_the_first_of_more(self, retriever: Retriever) -> None:
        [three] = retriever.retrieve([QUERIES[1]], 3)
        [first] = retriever.retrieve([QUERIES[1]], 1)
        assert first == three[:1]

    def test_equally_similar_passages_are_in_the_order_of_their_ids(
        self, retriever: Retriever
    ) -> None:
        [evidence] = retriever.retrieve([QUERIES[2]], 2)
        assert [hit.passage.id for hit in evidence] == ["twin-a", "twin-b"]
        assert evidence[0].similarity == evidence[1].similarity

    def test_text_of_any_script_is_taken(self, retriever: Retriever) -> None:
        assert len(retriever.retrieve(["中国的首都是哪里?", "", "Größe"], 1)) == 3

    def test_a_text_has_one_vector_of_unit_length(self, retriever: Retriever) -> None:
        together = retriever.embed(QUERIES)
        alone = retriever.embed([QUERIES[1]])
        assert len(together) == len(QUERIES)
        assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
        assert np.allclose(together[1], alone[0], atol=1e-5)

    def test_rejects_less_than_one_passage(self, retriever: Retriever) -> None:
        with pytest.raises(ValueError, match="top_k=0"):
            retriever.retrieve(["Paris"], 0)


class RetrieverSuite(RankingSuite):
    """What a retriever does as well that orders passages by similarity."""

    def test_the_most_similar_come_first(self, retriever: Retriever) -> None:
        for evidence in retriever.retrieve(QUERIES, len(DOCUMENTS)):
            similarities = [hit.similarity for hit in evidence]
            assert similarities == sorted(similarities, reverse=True)
