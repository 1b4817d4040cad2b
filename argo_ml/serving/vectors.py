"""Embeddings of served questions: asked at once they are embedded together, and kept afterwards."""

from __future__ import annotations

import logging
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property

from argo_ml.config import CellSpec
from argo_ml.corpus.cached_embedding import CachingEmbedder
from argo_ml.corpus.embedding import SentenceEmbedder, Vectors, embedder_of
from argo_ml.errors import ArgoError
from argo_ml.models.cache.caching import CallCache
from argo_ml.serving.batches import BatchThread

LARGEST_BATCH = 32
REMEMBERED = 4_096
logger = logging.getLogger(__name__)
Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    text: str
    result: Future[Vector] = field(default_factory=Future)


class ServedVectors:
    """The vector of a question, for any number of threads.

    One that a sweep has embedded is its own, from the cache of calls; a new one is kept there in a
    thread of its own, so that the next one need not wait for the disk.
    """

    def __init__(self, spec: CellSpec) -> None:
        self._spec = spec
        self._remembered: OrderedDict[str, Vector] = OrderedDict()
        self._thread = BatchThread("vectors", self._work, LARGEST_BATCH)
        self._keeping = BatchThread("vectors to keep", self._keep, LARGEST_BATCH)

    def __call__(self, text: str) -> Vector:
        """Raises `ArgoError` where the embedder cannot be used."""
        job = _Job(text)
        self._thread.put(job)
        return job.result.result()

    def _work(self, batch: list[_Job]) -> None:
        texts = list(dict.fromkeys(job.text for job in batch))
        try:
            new = self._add_missing([text for text in texts if text not in self._remembered])
            rows = {text: self._remembered[text] for text in texts}
        except BaseException as error:
            for job in batch:
                job.result.set_exception(error)
            return
        for job in batch:
            job.result.set_result(rows[job.text])
        if new:
            self._keeping.put(new)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    def _add_missing(self, texts: list[str]) -> dict[str, Vector]:
        """Remember the vectors of these texts; returns those that nobody had embedded before."""
        known = {text: _plain(row) for text, row in self._caching.known(texts).items()}
        unknown = [text for text in texts if text not in known]
        new: dict[str, Vector] = {}
        if unknown:
            rows = self._embedder.embed_queries(unknown)
            new = {text: _plain(row) for text, row in zip(unknown, rows, strict=True)}
        self._remembered.update({**known, **new})
        return new

    def _keep(self, batch: list[dict[str, Vector]]) -> None:
        try:
            self._caching.keep({text: row for new in batch for text, row in new.items()})
        except ArgoError as error:
            logger.warning("embeddings of questions are not kept (%s)", error)

    @cached_property
    def _embedder(self) -> SentenceEmbedder:
        return embedder_of(self._spec)

    @cached_property
    def _caching(self) -> CachingEmbedder:
        return CachingEmbedder(self._embedder, CallCache(self._spec.calls_path))


def _plain(row: Vectors) -> Vector:
    return tuple(map(float, row))
