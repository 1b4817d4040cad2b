"""Retrieval by words: BM25 (Robertson and Zaragoza 2009) over the passages of an index."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.corpus.base import Vectors
from argo_ml.corpus.cleaning import one_spelling
from argo_ml.corpus.retriever import ChromaRetriever
from argo_ml.errors import ConfigError
from argo_ml.letters import UNSPACED, word_pattern
from argo_ml.models.sealed_json import installed_version
from argo_ml.types import Evidence

K1, B = 1.5, 0.75
SCORE_DECIMALS = 5
"""Beyond these single precision is rounding."""
WORDS = 2
"""Version of `words_of`."""


def words_of(text: str) -> list[str]:
    """Words and numbers in lower case; each character of scripts that put no space between words.

    No word is left out and none is cut to its stem: that would need to know the language.
    """
    # Lower case leaves the dot of a Turkish capital I behind, as a mark of its own.
    lowered = text.casefold().replace("i\u0307", "i")
    return _word().findall(one_spelling(lowered))


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    return re.compile(f"[{UNSPACED}]|{word_pattern(UNSPACED)}")


class BM25Retriever:
    """Finds the passages that share the most telling words with a query.

    Those that share none come last, so that there are as many as asked for. Similarity is the
    cosine, as everywhere, and not what the passages are ordered by.
    """

    def __init__(self, dense: ChromaRetriever) -> None:
        self.dense = dense

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """Equally good passages come in the order of their ids. Raises `CorpusIndexError`."""
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        return self.dense.evidence(queries, [self.ranked(query, top_k) for query in queries])

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self.dense.embed(queries)

    def ranked(self, query: str, n_passages: int, least: float = -1.0) -> list[str]:
        """Ids of the best passages whose score exceeds ``least``."""
        ids, scores = self._index.ids, self._index.scores(words_of(query))
        best = np.argsort(-scores, kind="stable")[:n_passages]
        return [ids[index] for index in best if scores[index] > least]

    @cached_property
    def _index(self) -> _WordIndex:
        return _WordIndex(self.dense.passage_texts())


class _WordIndex:
    """The words of all passages, in the order of their ids."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.ids = sorted(texts)
        self._bm25: Any = bm25_package().BM25(k1=K1, b=B, method="lucene")
        # A passage without a word would be left out, and the others be taken for their neighbours.
        words = [words_of(texts[key]) or ["\0"] for key in self.ids]
        self._bm25.index(words, show_progress=False)

    def scores(self, words: Sequence[str]) -> NDArray[np.float64]:
        known = [word for word in words if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self.ids))
        scores = np.asarray(self._bm25.get_scores(known), dtype=np.float64)
        rounded: NDArray[np.float64] = np.round(scores, SCORE_DECIMALS)
        return rounded


def bm25_identity() -> str:
    """Everything that can change the order of passages."""
    version = ".".join(installed_version("bm25s").split(".")[:2])
    return f"bm25s {version} lucene k1={K1} b={B} words={WORDS}"


def bm25_package() -> Any:
    """Raises `ConfigError` where it is not installed, as beside an earlier version of argo_ml."""
    try:
        package = import_module("bm25s")
    except ModuleNotFoundError:
        raise ConfigError(
            "retriever=bm25 and retriever=hybrid need the package bm25s: pip install bm25s"
        ) from None
    # It makes its own logger say everything.
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return package
