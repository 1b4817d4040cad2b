"""Vectors of many questions: by blocks, each of them kept and told of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from argo_ml.corpus.cached_embedding import CachingEmbedder
from argo_ml.corpus.embedding import Vectors
from argo_ml.models.cache.store import CallCache
from argo_ml.progress import EMBEDDED, ignore_progress
from argo_ml.replay import question_vectors as module
from argo_ml.replay.question_vectors import question_vectors
from argo_ml.testing.embedders import WordEmbedder

TEXTS = ("who", "when", "where", "which", "how")


class Counting(WordEmbedder):
    """Counts texts, and is interrupted at one of them."""

    def __init__(self, fatal: str = "") -> None:
        super().__init__()
        self.embedded: list[str] = []
        self._fatal = fatal

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        if self._fatal in texts:
            raise KeyboardInterrupt
        self.embedded += texts
        return super().embed_queries(texts)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)


@pytest.fixture
def cache(tmp_path: Path) -> CallCache:
    return CallCache(tmp_path / "calls.sqlite")


def test_new_questions_are_told_of_by_blocks(cache: CallCache) -> None:
    told: list[tuple[object, ...]] = []
    embedder = CachingEmbedder(WordEmbedder(), cache)
    vectors = question_vectors(embedder, (*TEXTS, "who"), lambda *counts: told.append(counts))
    assert told == [(EMBEDDED, 2, 5), (EMBEDDED, 4, 5), (EMBEDDED, 5, 5)]
    rows = WordEmbedder().embed_queries(TEXTS)
    assert {text: list(own) for text, own in vectors.items()} == {
        text: row.tolist() for text, row in zip(TEXTS, rows, strict=True)
    }


def test_what_was_embedded_before_an_interruption_stays_known(cache: CallCache) -> None:
    with pytest.raises(KeyboardInterrupt):
        question_vectors(CachingEmbedder(Counting("where"), cache), TEXTS, ignore_progress)
    again = Counting()
    told: list[tuple[object, ...]] = []
    vectors = question_vectors(
        CachingEmbedder(again, cache), TEXTS, lambda *counts: told.append(counts)
    )
    assert again.embedded == ["where", "which", "how"]
    assert told == [(EMBEDDED, 2, 3), (EMBEDDED, 3, 3)]
    assert set(vectors) == set(TEXTS)


def test_known_questions_are_embedded_and_told_of_no_more(cache: CallCache) -> None:
    first = question_vectors(CachingEmbedder(WordEmbedder(), cache), TEXTS, ignore_progress)
    again, told = Counting(), []
    second = question_vectors(
        CachingEmbedder(again, cache), TEXTS, lambda *counts: told.append(counts)
    )
    assert (again.embedded, told, second) == ([], [], first)
