"""The questions of a replay as vectors, most of which a large file asks for the first time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from argo_ml.config import ReplaySpec
from argo_ml.corpus.cached_embedding import CachingEmbedder
from argo_ml.corpus.embedder_prompts import GivenPrompts
from argo_ml.corpus.embedding import load_embedder
from argo_ml.models.cache.store import CallCache
from argo_ml.progress import EMBEDDED, OnProgress
from argo_ml.replay.calibrating import VectorsByText

BLOCK = 1024
"""Questions that are embedded before their vectors are kept: some seconds of a processor."""


def embedder_of(spec: ReplaySpec) -> CachingEmbedder:
    """Embeds questions as a sweep does, and shares the cache of sweeps."""
    given = GivenPrompts(query=spec.query_prompt)
    embedder = load_embedder(spec.embedding_model, spec.cache_path, given=given)
    return CachingEmbedder(embedder, CallCache(spec.calls_path))


def question_vectors(
    embedder: CachingEmbedder, texts: Sequence[str], on_progress: OnProgress
) -> VectorsByText:
    """The vectors by text. ``on_progress`` hears of those that nobody has embedded before; what is
    embedded stays known where the rest is not awaited."""
    distinct = list(dict.fromkeys(texts))
    # As arrays of the embedder's own numbers, an eighth of what tuples of them take.
    vectors: dict[str, array[float]] = {}
    for block in _blocks(distinct):
        known = embedder.known(block)
        vectors |= {text: array("f", row.tobytes()) for text, row in known.items()}
    missing = [text for text in distinct if text not in vectors]
    n_embedded = 0
    for block in _blocks(missing):
        rows = embedder.embed_queries(block)
        vectors |= {text: array("f", row.tobytes()) for text, row in zip(block, rows, strict=True)}
        n_embedded += len(block)
        on_progress(EMBEDDED, n_embedded, len(missing))
    return vectors


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), BLOCK):
        yield texts[start : start + BLOCK]
