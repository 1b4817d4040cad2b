"""Passages and their vectors in Chroma: found whole, or built by one writer at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from chromadb import Collection
from chromadb.config import Settings

from argo_ml.corpus.embedding import Vectors
from argo_ml.errors import CorpusIndexError, disk_advice, one_line, system_reason
from argo_ml.locks import ProcessLock
from argo_ml.types import Passage

logger = logging.getLogger(__name__)

OnEmbedded = Callable[[int, int], None]
"""Receives how many passages are embedded, and of how many."""

HNSW: dict[str, Any] = {
    "space": "cosine",
    "ef_construction": 200,
    "ef_search": 400,
    "max_neighbors": 32,
}
"""Chosen for a recall of at least 0.99 at 3 against exact search."""

PASSAGES_PER_BLOCK = 1024
"""Passages embedded and added together; fewer where Chroma takes fewer."""

PROBED = 1000
"""Chroma keeps up to this many vectors beside its index files."""

EQUAL_DECIMALS = 5
"""Vectors that agree so far differ by rounding."""


@dataclass(frozen=True, slots=True)
class IndexContent:
    """What an index holds: ``embed`` gives the vectors of some of the passages."""

    passages: Sequence[Passage]
    embed: Callable[[Sequence[Passage]], Vectors]


class IndexStore(Protocol):
    """Where collections are kept; only whole ones are found under their name."""

    def find(self, name: str, n_passages: int) -> Collection | None:
        """Raises `CorpusIndexError` for one that is damaged."""

    def build(self, name: str, content: IndexContent, on_progress: OnEmbedded) -> Collection: ...


def open_or_build(
    store: IndexStore,
    name: str,
    content: IndexContent,
    locks: Path,
    on_progress: OnEmbedded,
) -> tuple[Collection, bool]:
    """The collection, and whether it was built now. Raises `CorpusIndexError`."""
    n_passages = len(content.passages)
    collection = store.find(name, n_passages)
    if collection is not None:
        return collection, False
    with only_writer(locks, name):
        # Another process may have built it while this one waited.
        collection = store.find(name, n_passages)
        if collection is not None:
            return collection, False
        logger.info("embedding %d passages", n_passages)
        return store.build(name, content, on_progress), True


@contextmanager
def only_writer(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of a collection, which the system frees when the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = writer_lock(folder, name)
        lock.acquire()
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def writer_lock(folder: Path, name: str) -> ProcessLock:
    return ProcessLock(folder / f".{name}.lock", f"the index {name}")


def unwritable(folder: Path, error: OSError) -> CorpusIndexError:
    reason = system_reason(error)
    advice = disk_advice(error) or "make it writable"
    return CorpusIndexError(
        f"{folder}: cannot be written ({reason}); {advice}, or choose another cache_dir"
    )


def unsearchable(collection: Collection, error: Exception) -> CorpusIndexError:
    return CorpusIndexError(
        f"{collection.name}: the index cannot be searched ({one_line(error)}); "
        "run argo-ml index with the same parameters to check it"
    )


def chroma_settings() -> Settings:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def create(client: Any, name: str, metadata: dict[str, Any]) -> Collection:
    collection: Collection = client.create_collection(
        name, metadata=metadata, configuration={"hnsw": HNSW}, embedding_function=None
    )
    return collection


def fill(
    collection: Collection, content: IndexContent, largest_batch: int, on_progress: OnEmbedded
) -> None:
    """Add all passages; raises `CorpusIndexError` if they are not all there afterwards."""
    n_passages = len(content.passages)
    size = min(PASSAGES_PER_BLOCK, largest_batch)
    for start in range(0, n_passages, size):
        block = content.passages[start : start + size]
        collection.add(
            ids=[passage.id for passage in block],
            embeddings=content.embed(block),
            documents=[passage.text for passage in block],
            metadatas=[{"title": passage.title, "source": passage.source} for passage in block],
        )
        on_progress(start + len(block), n_passages)
    problem = incompleteness(collection, n_passages)
    if problem:
        raise CorpusIndexError(f"{collection.name}: {problem} after it was built; run it again")


def incompleteness(collection: Collection, n_passages: int) -> str:
    """What is missing in a collection, empty if nothing is.

    The count alone does not tell: Chroma counts passages whose index files are gone.
    """
    n_present = collection.count()
    if n_present != n_passages:
        return f"holds {n_present} passages instead of {n_passages}"
    n_probed = min(n_passages, PROBED)
    [vectors] = [collection.get(limit=1, include=["embeddings"])["embeddings"]]
    if vectors is None or len(vectors) == 0:
        return "holds no vectors"
    nearest = collection.query(query_embeddings=vectors, n_results=n_probed, include=[])
    if len(nearest["ids"][0]) < n_probed and not _holds_equal_vectors(collection, n_probed):
        return "does not find all of its passages"
    return ""


def reaches_all(collection: Collection) -> bool:
    """Whether the approximate search can find every passage.

    Hundreds of equal vectors take each other for neighbours, and what lies beside them is lost.
    """
    n_probed = min(collection.count(), PROBED)
    vectors = collection.get(limit=1, include=["embeddings"])["embeddings"]
    nearest = collection.query(query_embeddings=vectors, n_results=n_probed, include=[])
    return len(nearest["ids"][0]) == n_probed


def _holds_equal_vectors(collection: Collection, n_probed: int) -> bool:
    vectors = collection.get(limit=n_probed, include=["embeddings"])["embeddings"]
    if vectors is None or len(vectors) < n_probed:
        return False
    return len(np.unique(np.round(np.asarray(vectors), EQUAL_DECIMALS), axis=0)) < n_probed
