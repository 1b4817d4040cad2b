"""Corpora for tests: an embedder without a model, a store in the test's folder, the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.embedding import SentenceEmbedder, load_embedder
from argo_ml.testing.embedders import WordEmbedder


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def indexes(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


@pytest.fixture
def store(indexes: Path) -> EmbeddedStore:
    return EmbeddedStore(indexes)


@pytest.fixture(scope="session")
def sentence_embedder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEmbedder:
    """The embedded model; loading it takes seconds."""
    return load_embedder("all-minilm-l6-v2", tmp_path_factory.mktemp("digests"), device="cpu")
