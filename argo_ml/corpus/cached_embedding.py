"""An embedder that keeps the vectors of queries in the permanent cache of calls."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from argo_ml.corpus.embedding import Embedder, Vectors
from argo_ml.models.cache.store import EMBED, CallCache, Entry


class CachingEmbedder:
    """Embeds only the queries that nobody has embedded before; passages go to the index anyway."""

    def __init__(self, embedder: Embedder, cache: CallCache) -> None:
        self._embedder = embedder
        self._cache = cache

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def identity(self) -> str:
        return self._embedder.identity

    @property
    def max_tokens(self) -> int | None:
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def count_unknown(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_unknown(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Raises `ArgoError` from the cache."""
        keys = [self._key(text) for text in texts]
        cached = self._cache.find(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in cached}
        if missing:
            vectors = self._embedder.embed_queries(list(missing.values()))
            cached.update(self._add(missing, vectors))
        return np.stack([_vector(cached[key]) for key in keys])

    def known(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors, by text, of those that somebody has embedded before."""
        by_key = {self._key(text): text for text in texts}
        return {by_key[key]: _vector(entry) for key, entry in self._cache.find(by_key).items()}

    def keep(self, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep vectors that were made elsewhere by the same embedder, by text."""
        if vectors:
            keys = {self._key(text): text for text in vectors}
            self._add(keys, np.asarray(list(vectors.values()), dtype=np.float32))

    def _add(self, keys: Mapping[str, str], vectors: Vectors) -> dict[str, Entry]:
        entries = [_entry(key, row) for key, row in zip(keys, vectors, strict=True)]
        return self._cache.add(self.identity, entries)

    def _key(self, text: str) -> str:
        content = json.dumps([self.identity, EMBED, text])
        return hashlib.sha256(content.encode()).hexdigest()


def _entry(key: str, vector: Vectors) -> Entry:
    encoded = base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
    return Entry(key, EMBED, json.dumps(encoded), 0, "0", 0.0, "")


def _vector(entry: Entry) -> Vectors:
    return np.frombuffer(base64.b64decode(json.loads(entry.output)), dtype="<f4")
