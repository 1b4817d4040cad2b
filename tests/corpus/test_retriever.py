from pathlib import Path

import numpy as np
import pytest

from argo_ml.corpus.base import Retriever
from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.embedding import Embedder, SentenceEmbedder
from argo_ml.corpus.opening import index_documents
from argo_ml.corpus.retriever import QueryVectors
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.testing.retrievers import DOCUMENTS, RetrieverSuite

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
