"""The corpus of an experiment: its documents, split, embedded and indexed, ready to retrieve."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from argo_ml.config import CorpusSpec
from argo_ml.corpus.base import Corpus
from argo_ml.corpus.cached_embedding import CachingEmbedder
from argo_ml.corpus.documents import DocumentSet, read_documents
from argo_ml.corpus.embedding import Embedder, Vectors, embedder_of
from argo_ml.corpus.index import HNSW, IndexContent, IndexStore, OnEmbedded, open_or_build
from argo_ml.corpus.isolated_reading import ReadingLimits
from argo_ml.corpus.prepared import (
    DeferredPassages,
    SplitCorpus,
    keep_split,
    kept_split,
    split_key,
)
from argo_ml.corpus.readers import READERS
from argo_ml.corpus.rejected import NO_TEXT, ignored_in_words
from argo_ml.corpus.splitting import SplitSettings, embedded_text, split
from argo_ml.corpus.sqlite_version import check_sqlite
from argo_ml.datasets import own_documents
from argo_ml.models.cache.store import CallCache
from argo_ml.progress import ignore_progress
from argo_ml.types import Passage

logger = logging.getLogger(__name__)

CheckDigest = Callable[[str], None]
"""Raises `ArgoError` for the digest of a corpus that is not the wanted one."""
SHOWN_FILES = 5

SAMPLED_PASSAGES = 1000
LARGEST_UNKNOWN_SHARE = 0.1
"""Of the tokens of a sample of passages; beyond it the embedder is of another language."""


def any_digest(digest: str) -> None:
    """Takes whatever corpus there is."""


def open_corpus(
    spec: CorpusSpec,
    on_progress: OnEmbedded = ignore_progress,
    check_digest: CheckDigest = any_digest,
) -> Corpus:
    """Find the index of the spec's documents, or build it.

    ``on_progress`` receives how many passages are embedded, and of how many; before the first is,
    ``check_digest`` may refuse the corpus. Raises `DataError`, `ConfigError`, `ModelError` and
    `CorpusIndexError`.
    """
    check_sqlite()
    # Importing Chroma takes seconds, and what the corpus is made of is imported everywhere.
    from argo_ml.corpus.ranking import check_ranking, own_corpus, ranked_digest, with_ranking

    check_ranking(spec)
    if not spec.searches_documents:
        own = with_ranking(own_corpus(spec, _embedder(spec)), spec)
        check_digest(own.digest)
        return own
    source, document_set = _load_documents(spec)
    _log_unused(document_set)
    # A server that does not answer is known sooner than a model is loaded.
    store = _store(spec)
    embedder = _embedder(spec)
    corpus = index_documents(
        document_set,
        source,
        SplitSettings(spec.chunk_size, spec.chunk_overlap),
        embedder,
        store,
        spec.indexes_path,
        on_progress,
        lambda digest: check_digest(ranked_digest(digest, spec)),
    )
    return with_ranking(corpus, spec)


def _embedder(spec: CorpusSpec) -> CachingEmbedder:
    return CachingEmbedder(embedder_of(spec), CallCache(spec.calls_path))


def index_documents(
    document_set: DocumentSet,
    source: str,
    settings: SplitSettings,
    embedder: Embedder,
    store: IndexStore,
    folder: Path,
    on_progress: OnEmbedded = ignore_progress,
    check_digest: CheckDigest = any_digest,
) -> Corpus:
    """Split, embed and store documents, unless ``store`` has their index.

    Locks are in ``folder``, and what is remembered of corpora. ``check_digest`` sees the digest
    before anything is embedded.
    """
    from argo_ml.corpus.retriever import ChromaRetriever
    from argo_ml.corpus.similarity_limit import stored_limit

    def make_passages() -> Sequence[Passage]:
        return split(document_set.documents, settings, embedder)

    key = split_key(document_set.documents, settings, embedder.identity)
    known = kept_split(folder, key)
    if known is None:
        passages: Sequence[Passage] = make_passages()
        known = SplitCorpus(
            corpus_digest(passages, settings, embedder),
            len(passages),
            unknown_share(passages, embedder),
        )
        keep_split(folder, key, known)
    else:
        passages = DeferredPassages(known.n_passages, make_passages)
    check_digest(known.digest)
    _warn_unknown(known.unknown_share, embedder.name)
    name = f"argo-{known.digest[:40]}"

    def embed(block: Sequence[Passage]) -> Vectors:
        return embedder.embed_passages([embedded_text(p.title, p.text) for p in block])

    content = IndexContent(passages, embed)
    collection, was_built = open_or_build(store, name, content, folder, on_progress)
    return Corpus(
        retriever=ChromaRetriever(collection, embedder),
        digest=known.digest,
        source=source,
        n_passages=known.n_passages,
        collection=name,
        was_built=was_built,
        rejected=document_set.rejected,
        ignored=ignored_in_words(document_set.ignored, list(READERS)),
        measure_limit=partial(stored_limit, collection, embedder, folder),
    )


def corpus_digest(passages: Sequence[Passage], settings: SplitSettings, embedder: Embedder) -> str:
    """SHA-256 (hex) over passages, splitter settings, embedding model and search settings."""
    digest = hashlib.sha256()
    head = [settings.chunk_size, settings.chunk_overlap, embedder.identity, HNSW]
    digest.update(json.dumps(head, sort_keys=True).encode())
    for passage in passages:
        row = [passage.id, passage.title, passage.text, passage.source]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _load_documents(spec: CorpusSpec) -> tuple[str, DocumentSet]:
    """Where the documents are from, in words, and the documents: given ones or the dataset's."""
    limits = ReadingLimits(spec.document_seconds, spec.document_mb)
    kept_in = spec.indexes_path / "readings"
    if spec.documents:
        return spec.documents, read_documents(spec.documents, limits, kept_in)
    own = own_documents(spec.dataset, spec)
    if own.documents is None:
        return own.source, read_documents(own.source, limits, kept_in)
    return own.source, DocumentSet(own.documents)


def _store(spec: CorpusSpec) -> IndexStore:
    # Importing Chroma takes seconds, and what the corpus is made of is imported everywhere.
    from argo_ml.corpus.embedded_store import EmbeddedStore
    from argo_ml.corpus.server_store import ServerStore

    if spec.chroma_url:
        return ServerStore(spec.chroma_url)
    return EmbeddedStore(spec.indexes_path)


def _log_unused(document_set: DocumentSet) -> None:
    ignored = ignored_in_words(document_set.ignored, list(READERS))
    if ignored:
        logger.info("%s", ignored)
    unreadable = [rejected for rejected in document_set.rejected if rejected.reason != NO_TEXT]
    n_empty = len(document_set.rejected) - len(unreadable)
    if n_empty:
        logger.info("files without text left out of the corpus: %d", n_empty)
    _warn_of_some(
        [f"{file.name} is left out of the corpus: {file.reason}" for file in unreadable],
        "more are left out of the corpus; argo-ml index lists them",
    )
    _warn_of_some(
        [f"{file.name} is not UTF-8 and read as {file.encoding}" for file in document_set.guessed],
        "more files are not UTF-8 and read by a guess; convert them to be sure",
    )


def _warn_of_some(lines: Sequence[str], more: str) -> None:
    for line in lines[:SHOWN_FILES]:
        logger.warning("%s", line)
    if len(lines) > SHOWN_FILES:
        logger.warning("%d %s", len(lines) - SHOWN_FILES, more)


def unknown_share(passages: Sequence[Passage], embedder: Embedder) -> float:
    """Of the tokens of a sample of passages, the share that the embedder does not know."""
    sample = passages[:: -(-len(passages) // SAMPLED_PASSAGES)] if passages else ()
    texts = [passage.text for passage in sample]
    return sum(embedder.count_unknown(texts)) / max(sum(embedder.count_tokens(texts)), 1)


def _warn_unknown(share: float, embedding_model: str) -> None:
    """Texts of unknown words alone are equal to an embedder: it cannot tell them apart."""
    if share > LARGEST_UNKNOWN_SHARE:
        logger.warning(
            "embedding_model=%s does not know %.0f %% of the tokens of the passages, and what it "
            "does not know is all alike to it; use an embedding model of their language",
            embedding_model,
            100 * share,
        )
