"""From which similarity on a passage counts as found, measured on the corpus itself.

What an unrelated text reaches differs by embedder and by corpus. So sentences of the corpus stand
in for queries: their similarity to the passages that they are from, against that to passages of
other documents. The limit is where as many of the one lie below as of the other lie above, the
equal error rate of detection. No question of an experiment plays a part in it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from chromadb import Collection
from chromadb.errors import ChromaError
from numpy.typing import NDArray

from argo_ml.corpus.base import SimilarityLimit
from argo_ml.corpus.embedding import Embedder
from argo_ml.corpus.index import unsearchable
from argo_ml.errors import system_reason
from argo_ml.randomness import derived_rng

logger = logging.getLogger(__name__)

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
    limit = _read(path)
    if limit is None:
        try:
            limit = measured_limit(collection, embedder)
        except ChromaError as error:
            raise unsearchable(collection, error) from None
        if limit is not None:
            _store(limit, path)
    return limit if limit is not None and limit.separates else None


def _read(path: Path) -> SimilarityLimit | None:
    try:
        return SimilarityLimit(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def measured_limit(collection: Collection, embedder: Embedder) -> SimilarityLimit | None:
    """Deterministic for a corpus: what is drawn depends on the name, which has its digest."""
    ids = sorted(
        key
        for start in range(0, collection.count(), PAGE)
        for key in collection.get(limit=PAGE, offset=start, include=[])["ids"]
    )
    if len(ids) < FEWEST_PASSAGES:
        return None
    rng = derived_rng(0, collection.name, "similarity")
    drawn = rng.sample(ids, min(N_SENTENCES, len(ids)))
    others = rng.sample(ids, min(N_OTHERS, len(ids)))
    texts, vectors = _passages(collection, drawn)
    sentences = embedder.embed_queries([_sentence(text, rng) for text in texts])
    similarities = sentences @ _passages(collection, others)[1].T
    unrelated = similarities[_of_other_documents(drawn, others)]
    if len(unrelated) < FEWEST_PAIRS:
        return None
    return equal_error(unrelated, np.sum(sentences * vectors, axis=1))


def equal_error(unrelated: NDArray[np.floating], related: NDArray[np.floating]) -> SimilarityLimit:
    """The limit, to two decimals, that is wrong about both kinds alike; the lowest of equals."""
    limits = np.round(np.arange(-1.0, 1.005, 0.01), 2)
    unrelated, related = (np.round(values, DECIMALS) for values in (unrelated, related))
    above = 1 - np.searchsorted(np.sort(unrelated), limits, side="left") / len(unrelated)
    below = np.searchsorted(np.sort(related), limits, side="left") / len(related)
    best = int(np.argmin(np.abs(above - below)))
    return SimilarityLimit(
        float(limits[best]), float(above[best]), float(below[best]), len(unrelated)
    )


def _passages(collection: Collection, ids: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
    """Texts and vectors in the order of ``ids``."""
    got = collection.get(ids=list(ids), include=["documents", "embeddings"])
    place = {key: row for row, key in enumerate(got["ids"])}
    rows = [place[key] for key in ids]
    texts = got["documents"] or []
    return [texts[row] for row in rows], np.asarray(got["embeddings"], dtype=np.float32)[rows]


def _sentence(text: str, rng: random.Random) -> str:
    sentences = [part.strip() for part in _SENTENCE_END.split(text)]
    return rng.choice([part for part in sentences if len(part) >= SHORTEST_SENTENCE] or [text])


def _of_other_documents(drawn: Sequence[str], others: Sequence[str]) -> NDArray[np.bool_]:
    own = np.array([_document(key) for key in drawn])
    differ: NDArray[np.bool_] = own[:, None] != np.array([_document(key) for key in others])
    return differ


def _document(passage_id: str) -> str:
    """The id of the document that a passage is from, as splitting makes it."""
    head, _, number = passage_id.rpartition("#")
    return head if head and number.isdecimal() else passage_id


def _store(limit: SimilarityLimit, path: Path) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(limit)), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        logger.info(
            "%s: cannot be written (%s); it will be measured again", path, system_reason(error)
        )
