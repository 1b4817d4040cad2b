"""The corpus under the retriever that a spec names: dense, by words, both, one's own, reranked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from argo_ml.config import CorpusSpec, suggest
from argo_ml.config.source_fields import BM25, DENSE, HYBRID, RETRIEVERS
from argo_ml.corpus import fusion, reranking
from argo_ml.corpus.base import Corpus, Retriever
from argo_ml.corpus.bm25 import BM25Retriever, bm25_identity, bm25_package
from argo_ml.corpus.embedding import Embedder
from argo_ml.corpus.fusion import HybridRetriever
from argo_ml.corpus.own_retriever import OWN_RETRIEVERS, OwnRetriever, own_identity
from argo_ml.corpus.reranking import CrossEncoder, RerankingRetriever
from argo_ml.corpus.retriever import ChromaRetriever
from argo_ml.errors import ConfigError

_RANKED = (BM25, HYBRID)


def check_ranking(spec: CorpusSpec) -> None:
    """Raises `ArgoError` for a retriever or a reranker that is not there, before documents are
    read."""
    if spec.retriever in _RANKED:
        bm25_package()
    elif spec.retriever != DENSE and spec.retriever not in OWN_RETRIEVERS:
        known = dict.fromkeys((*RETRIEVERS, *OWN_RETRIEVERS))
        raise ConfigError(f"retriever={spec.retriever} is unknown{suggest(spec.retriever, known)}")
    if spec.reranker:
        _encoder(spec)


def own_corpus(spec: CorpusSpec, embedder: Embedder) -> Corpus:
    """What a retriever of a package or a program searches; nobody here knows its passages."""
    search = OWN_RETRIEVERS[spec.retriever]
    identity = own_identity(spec.retriever, search)
    return Corpus(
        retriever=OwnRetriever(spec.retriever, search, embedder),
        digest=_digest("own", identity, embedder.identity),
        source=f"retriever {identity}",
        n_passages=0,
        collection="",
        was_built=False,
    )


def retrievers_over(retriever: Retriever) -> dict[str, Retriever]:
    """All retrievers over the passages that this one searches, by name; none over one's own
    or reranked ones."""
    dense = getattr(retriever, "dense", retriever)
    if not isinstance(dense, ChromaRetriever):
        return {}
    by_words = BM25Retriever(dense)
    return {DENSE: dense, BM25: by_words, HYBRID: HybridRetriever(by_words)}


def with_ranking(corpus: Corpus, spec: CorpusSpec) -> Corpus:
    """The corpus with the retriever and the reranker of the spec, which its digest then names.

    A dense corpus is left as it is.
    """
    retriever = corpus.retriever
    if spec.retriever in _RANKED and isinstance(retriever, ChromaRetriever):
        retriever = retrievers_over(retriever)[spec.retriever]
    if spec.reranker:
        retriever = RerankingRetriever(retriever, _encoder(spec))
    return replace(corpus, retriever=retriever, digest=ranked_digest(corpus.digest, spec))


def ranked_digest(digest: str, spec: CorpusSpec) -> str:
    """The digest of a corpus under the spec's retriever and reranker; ``digest`` is its own."""
    if spec.retriever in _RANKED:
        parts = [spec.retriever, bm25_identity()]
        if spec.retriever == HYBRID:
            parts.append(f"rrf {fusion.RANK_CONSTANT} of {fusion.DEPTH}")
        digest = _digest(digest, *parts)
    if spec.reranker:
        digest = _digest(digest, _encoder(spec).identity, f"of {reranking.DEPTH}")
    return digest


def _encoder(spec: CorpusSpec) -> CrossEncoder:
    threads = getattr(spec, "threads", None)
    return CrossEncoder(spec.reranker, spec.cache_path, spec.device, spec.gpus, threads)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
