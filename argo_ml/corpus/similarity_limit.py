"""From which similarity on a passage counts as found, measured on the corpus itself.

What an unrelated text reaches differs by embedder and by corpus. So sentences of the corpus stand
in for queries: their similarity to the passages that they are from, against that to passages of
other documents, of which a file is one whatever its sections. The limit is where as many of the one
lie below as of the other lie above, the equal error rate of detection. No question of an experiment
plays a part in it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from chromadb import Collection
from chromadb.errors import ChromaError
from numpy.typing import NDArray

from argo_ml.corpus.base import SimilarityLimit
from argo_ml.corpus.embedding import Embedder
from argo_ml.corpus.index import unsearchable
from argo_ml.corpus.pages import pages
from argo_ml.models.sealed_json import read_sealed, write_sealed
from argo_ml.randomness import derived_rng

N_SENTENCES = 200
N_OTHERS = 400
FEWEST_PASSAGES = 30
"""With fewer the two shares are not worth the name."""
FEWEST_PAIRS = 500
PAGE = 2_000
"""Passages whose ids are read at once."""
DECIMALS = 6
"""Beyond these a similarity differs by rounding."""
SHORTEST_SENTENCE = 20
"""Characters; what is shorter is rarely a sentence."""
_SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])\\s*|\n")


def stored_limit(
    collection: Collection, embedder: Embedder, folder: Path
) -> SimilarityLimit | None:
    """The limit of a corpus, measured once and kept beside its index.

    None for a corpus that is too small, or that the embedder does not tell apart. Raises
    `CorpusIndexError`.
    """
    path = folder / f"{collection.name}.similarity.json"
    kept = read_sealed(path)
    limit = None if kept is None else SimilarityLimit(**kept)
    if limit is None:
        try:
            limit = measured_limit(collection, embedder)
        except ChromaError as error:
            raise unsearchable(collection, error) from None
        if limit is not None:
            write_sealed(path, asdict(limit))
    return limit if limit is not None and limit.separates else None


def measured_limit(collection: Collection, embedder: Embedder) -> SimilarityLimit | None:
    """Deterministic for a corpus: what is drawn depends on the name, which has its digest."""
    ids = sorted(
        key for page in pages(collection, collection.count(), PAGE, []) for key in page["ids"]
    )
    if len(ids) < FEWEST_PASSAGES:
        return None
    rng = derived_rng(0, collection.name, "similarity")
    drawn_ids = rng.sample(ids, min(N_SENTENCES, len(ids)))
    other_ids = rng.sample(ids, min(N_OTHERS, len(ids)))
    drawn, others = (_passages(collection, own) for own in (drawn_ids, other_ids))
    sentences = embedder.embed_queries([_sentence(text, rng) for text in drawn.texts])
    differ = drawn.documents[:, None] != others.documents
    unrelated = (sentences @ others.vectors.T)[differ]
    if len(unrelated) < FEWEST_PAIRS:
        return None
    return equal_error(unrelated, np.sum(sentences * drawn.vectors, axis=1))


def equal_error(unrelated: NDArray[np.floating], related: NDArray[np.floating]) -> SimilarityLimit:
    """The limit, to two decimals, that is wrong about both kinds alike; the lowest of equals."""
    limits = np.round(np.arange(-1.0, 1.005, 0.01), 2)
    unrelated, related = (np.round(values, DECIMALS) for values in (unrelated, related))
    above = 1 - np.searchsorted(np.sort(unrelated), limits, side="left") / len(unrelated)
    below = np.searchsorted(np.sort(related), limits, side="left") / len(related)
    best = int(np.argmin(np.abs(above - below)))
    return SimilarityLimit(float(limits[best]), float(above[best]), float(below[best]))


@dataclass(frozen=True, slots=True)
class _Passages:
    """Some passages: ``vectors`` are rows, ``documents`` the names of those that they are from."""

    texts: list[str]
    vectors: NDArray[np.float32]
    documents: NDArray[np.str_]


def _passages(collection: Collection, ids: Sequence[str]) -> _Passages:
    """Those of ``ids``, in their order."""
    got = collection.get(ids=list(ids), include=["documents", "embeddings", "metadatas"])
    place = {key: row for row, key in enumerate(got["ids"])}
    rows = [place[key] for key in ids]
    texts, metadatas = got["documents"] or [], got["metadatas"] or []
    return _Passages(
        [texts[row] for row in rows],
        np.asarray(got["embeddings"], dtype=np.float32)[rows],
        np.array([_document(got["ids"][row], str(metadatas[row]["source"])) for row in rows]),
    )


def _sentence(text: str, rng: random.Random) -> str:
    sentences = [part.strip() for part in _SENTENCE_END.split(text)]
    return rng.choice([part for part in sentences if len(part) >= SHORTEST_SENTENCE] or [text])


def _document(passage_id: str, source: str) -> str:
    """The file that a passage is from, or the id of its document where the source has several."""
    head, _, number = passage_id.rpartition("#")
    document = head if head and number.isdecimal() else passage_id
    is_section = bool(source) and document.rpartition(":")[0] == source
    return source if is_section else document
