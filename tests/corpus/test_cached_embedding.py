from __future__ import annotations

from pathlib import Path

import numpy as np

from argo_ml.corpus.cached_embedding import CachingEmbedder
from argo_ml.models.cache.store import CallCache
from argo_ml.testing.embedders import WordEmbedder


def test_a_query_is_embedded_once_for_good(tmp_path: Path) -> None:
    first, second = WordEmbedder(), WordEmbedder()
    path = tmp_path / "calls.sqlite"
    vectors = CachingEmbedder(first, CallCache(path)).embed_queries(["red", "green", "red"])
    again = CachingEmbedder(second, CallCache(path)).embed_queries(["green", "red"])
    assert np.array_equal(vectors, WordEmbedder().embed_queries(["red", "green", "red"]))
    assert np.array_equal(again, vectors[[1, 0]])
    assert (first.n_query_calls, second.n_query_calls) == (1, 0)


def test_only_new_queries_are_embedded(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    cached = CachingEmbedder(embedder, CallCache(tmp_path / "calls.sqlite"))
    cached.embed_queries(["red"])
    assert np.array_equal(
        cached.embed_queries(["blue", "red"]), WordEmbedder().embed_queries(["blue", "red"])
    )
    assert embedder.n_query_calls == 2


def test_embedders_do_not_share_vectors(tmp_path: Path) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    wide = CachingEmbedder(WordEmbedder(dimension=64), cache).embed_queries(["red"])
    narrow = CachingEmbedder(WordEmbedder(dimension=32), cache).embed_queries(["red"])
    assert (wide.shape, narrow.shape) == ((1, 64), (1, 32))
