from collections.abc import Sequence
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError

from argo_ml.corpus.base import Retriever
from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.embedding import Embedder, SentenceEmbedder
from argo_ml.corpus.exact_search import ExactSearch
from argo_ml.corpus.opening import index_documents
from argo_ml.corpus.retriever import ChromaRetriever, QueryVectors
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.testing.retrievers import DOCUMENTS, RetrieverSuite
from argo_ml.types import Document

SETTINGS = SplitSettings(40, 0)


def open_retriever(folder: Path, embedder: Embedder) -> Retriever:
    document_set, store = DocumentSet(DOCUMENTS), EmbeddedStore(folder)
    return index_documents(document_set, "", SETTINGS, embedder, store, folder).retriever


@pytest.fixture(scope="module")
def by_words(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return open_retriever(tmp_path_factory.mktemp("indexes"), WordEmbedder())


@pytest.fixture(scope="module")
def by_embedded_model(
    tmp_path_factory: pytest.TempPathFactory, sentence_embedder: SentenceEmbedder
) -> Retriever:
    return open_retriever(tmp_path_factory.mktemp("indexes"), sentence_embedder)


class TestChromaRetriever(RetrieverSuite):
    @pytest.fixture
    def retriever(self, by_words: Retriever) -> Retriever:
        return by_words


class TestChromaRetrieverWithTheEmbeddedModel(RetrieverSuite):
    @pytest.fixture
    def retriever(self, by_embedded_model: Retriever) -> Retriever:
        return by_embedded_model


def test_a_passage_is_identical_to_a_query_of_the_same_words(
    store: EmbeddedStore, indexes: Path, embedder: WordEmbedder
) -> None:
    corpus = index_documents(DocumentSet(DOCUMENTS), "", SETTINGS, embedder, store, indexes)
    [[hit]] = corpus.retriever.retrieve(["France Paris is the capital of France."], 1)
    assert (hit.passage.id, hit.similarity) == ("france", 1.0)


def test_repeated_queries_are_embedded_once(embedder: WordEmbedder) -> None:
    vectors = QueryVectors(embedder)
    first = vectors(["a", "b", "a"])
    again = vectors(["b", "a", "b"])
    assert embedder.n_query_calls == 1
    assert np.array_equal(first[[1, 0, 1]], again)


def test_the_oldest_queries_are_forgotten(embedder: WordEmbedder) -> None:
    vectors = QueryVectors(embedder, n_remembered=2)
    vectors(["a", "b"])
    vectors(["a", "c"])
    vectors(["a"])
    assert embedder.n_query_calls == 2
    vectors(["b"])
    assert embedder.n_query_calls == 3


def test_more_queries_than_are_remembered_work(embedder: WordEmbedder) -> None:
    vectors = QueryVectors(embedder, n_remembered=2)
    assert vectors(["a", "b", "c", "d"]).shape == (4, 64)


def equal_documents(n_documents: int) -> DocumentSet:
    """Texts that differ by signs that `WordEmbedder` does not see, in another order than by id."""
    numbers = [(7 * n) % n_documents for n in range(n_documents)]
    return DocumentSet(
        (*(Document(f"e{n:04d}", "equal words" + "!" * n) for n in numbers), Document("z", "other"))
    )


@pytest.mark.parametrize("n_documents", [12, 50, 600, 3000])
def test_of_equally_similar_passages_the_first_by_id_come(
    store: EmbeddedStore, indexes: Path, embedder: WordEmbedder, n_documents: int
) -> None:
    documents, settings = equal_documents(n_documents), SplitSettings(2000, 0)
    corpus = index_documents(documents, "", settings, embedder, store, indexes)
    first, second = corpus.retriever.retrieve(["other", "equal"], 3)
    assert [hit.passage.id for hit in first] == ["z", "e0000", "e0001"]
    assert [hit.passage.id for hit in second] == ["e0000", "e0001", "e0002"]


def numbered_documents(n_documents: int) -> DocumentSet:
    return DocumentSet(tuple(Document(f"d{n:04d}", f"common word{n}") for n in range(n_documents)))


def test_more_queries_than_one_statement_of_the_database_answers(
    store: EmbeddedStore, indexes: Path, embedder: WordEmbedder
) -> None:
    corpus = index_documents(numbered_documents(120), "", SETTINGS, embedder, store, indexes)
    # 108 passages each are 33,480 variables.
    hits = corpus.retriever.retrieve([f"word{n % 120}" for n in range(310)], 100)
    assert [evidence[0].passage.id for evidence in hits] == [f"d{n % 120:04d}" for n in range(310)]
    assert {len(evidence) for evidence in hits} == {100}


class CollectionOfFewIds:
    """A collection whose database takes at most ``n_ids`` ids in a statement."""

    def __init__(self, collection: Collection, n_ids: int) -> None:
        self._collection = collection
        self._n_ids = n_ids

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    def get(self, ids: Sequence[str] = (), **asked: object) -> object:
        if len(ids) > self._n_ids:
            raise ChromaError("too many SQL variables")
        return self._collection.get(ids=list(ids) or None, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_passages", [49, 50, 120])
def test_passages_are_read_some_at_a_time(
    store: EmbeddedStore,
    indexes: Path,
    embedder: WordEmbedder,
    monkeypatch: pytest.MonkeyPatch,
    n_passages: int,
) -> None:
    monkeypatch.setattr("argo_ml.corpus.retriever.TEXT_PAGE", 50)
    corpus = index_documents(numbered_documents(120), "", SETTINGS, embedder, store, indexes)
    collection = store.find(corpus.collection, 120)
    retriever = ChromaRetriever(CollectionOfFewIds(collection, 50), embedder)  # type: ignore[arg-type]
    ids = [f"d{n:04d}" for n in range(n_passages)]
    [evidence] = retriever.evidence(["word7"], [ids])
    assert [hit.passage.id for hit in evidence] == ids
    assert max(evidence, key=lambda hit: hit.similarity).passage.text == "common word7"


def test_exact_search_orders_by_similarity_and_then_by_id(
    store: EmbeddedStore, indexes: Path, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argo_ml.corpus.exact_search.PAGE", 5)
    settings = SplitSettings(2000, 0)
    corpus = index_documents(equal_documents(13), "", settings, embedder, store, indexes)
    client = chromadb.PersistentClient(
        str(indexes / corpus.collection), Settings(anonymized_telemetry=False)
    )
    search = ExactSearch(client.get_collection(corpus.collection, embedding_function=None), 14, 6)
    for _ in range(2):
        [hits] = search(embedder.embed_queries(["other"]), 4)
        assert hits[0] == (-1.0, "z")
        assert [key for _, key in hits[1:]] == ["e0000", "e0001", "e0002"]
