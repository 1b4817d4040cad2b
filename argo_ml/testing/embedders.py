"""An embedder that needs no model: texts are near each other when they share words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from argo_ml.corpus.embedding import Vectors

_WORD = re.compile(r"\w+")


class WordEmbedder:
    """A token is a word; a vector is the sum of its words' vectors, drawn from their digests."""

    def __init__(self, max_tokens: int | None = None, dimension: int = 64) -> None:
        self.name = "words"
        self.identity = f"words {dimension}"
        self.max_tokens = max_tokens
        self.n_query_calls = 0
        self._dimension = dimension

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]

    def count_unknown(self, texts: Sequence[str]) -> list[int]:
        return [0] * len(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.n_query_calls += 1
        return self.embed_passages(texts)

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = _WORD.findall(text.lower()) or [""]
        total = np.sum([self._word(word) for word in words], axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)

    def _word(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self._dimension)
