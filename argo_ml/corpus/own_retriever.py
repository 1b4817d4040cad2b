"""Retrievers that packages and programs bring: functions from queries to passages."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argo_ml.corpus.base import Vectors
from argo_ml.corpus.embedding import Embedder
from argo_ml.corpus.retriever import REMEMBERED_QUERIES, SIMILARITY_DECIMALS, QueryVectors
from argo_ml.errors import ModelError, one_line
from argo_ml.plugins import PartTable
from argo_ml.types import Evidence, Passage

Search = Callable[[list[str]], Sequence[Sequence[Any]]]
"""For each query its passages, the best first: texts, mappings with text and optionally id, title,
source and similarity, or objects that have their text as LangChain's, LlamaIndex's, Haystack's."""

OWN_RETRIEVERS: PartTable[Search] = PartTable("argo_ml.retrievers", "retriever", {}, callable)
"""Those of installed packages, and of this program."""
TEXT_ATTRIBUTES = ("text", "page_content", "content")
ID_ATTRIBUTES = ("id", "id_", "node_id")


@dataclass(frozen=True, slots=True)
class Found:
    """A passage as it came, and its similarity where that came with it."""

    passage: Passage
    similarity: float | None


class OwnRetriever:
    """Asks a function, once for each query among the last `REMEMBERED_QUERIES`; a similarity that
    it does not say is the cosine.

    The function is asked for no number of passages: it gives as many as any policy wants.
    """

    def __init__(self, name: str, search: Search, embedder: Embedder) -> None:
        self._name = name
        self._search = search
        self._embedder = embedder
        self._vectors = QueryVectors(embedder)
        self._known: OrderedDict[str, tuple[Evidence, ...]] = OrderedDict()

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """Raises `ModelError` that says what the function did."""
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        new = list(dict.fromkeys(query for query in queries if query not in self._known))
        if new:
            self._known |= zip(new, self._found(new), strict=True)
        found = [self._known[query][:top_k] for query in queries]
        for query in queries:
            self._known.move_to_end(query)
        while len(self._known) > REMEMBERED_QUERIES:
            self._known.popitem(last=False)
        return found

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self._vectors(queries)

    def _found(self, queries: list[str]) -> list[tuple[Evidence, ...]]:
        try:
            given = self._search(list(queries))
            listed = None if given is None else [list(passages) for passages in given]
        # Whatever somebody's function raises: its user has to know that it is the retriever.
        except Exception as error:
            raise self._failed(f"raised {type(error).__name__}: {one_line(error)[:200]}") from error
        if listed is None or len(listed) != len(queries):
            n_given = "None" if listed is None else f"{len(listed)} lists of passages"
            raise self._failed(f"gave {n_given} for {len(queries)} queries; give one per query")
        found = [[self._passage(own) for own in passages] for passages in listed]
        vectors = self._vectors(queries)
        return [self._evidence(own, row) for own, row in zip(found, vectors, strict=True)]

    def _passage(self, given: Any) -> Found:
        fields = _fields(given)
        text = fields.get("text")
        if not isinstance(text, str):
            raise self._failed(f"gave a passage {given!r:.60}, which has no text")
        key = str(fields.get("id") or hashlib.sha256(text.encode()).hexdigest()[:16])
        title, source = (str(fields.get(name, "")) for name in ("title", "source"))
        return Found(Passage(key, text, title, source), self._similarity(fields.get("similarity")))

    def _similarity(self, given: Any) -> float | None:
        if given is None:
            return None
        try:
            cosine = math.nan if isinstance(given, str) else float(given)
        except (TypeError, ValueError):
            cosine = math.nan
        if not -1 <= cosine <= 1:
            raise self._failed(
                f"gave similarity={given!r:.60}; give a cosine from -1 to 1, or none"
            )
        return cosine

    def _evidence(self, found: Sequence[Found], query: Vectors) -> tuple[Evidence, ...]:
        unknown = [own.passage.text for own in found if own.similarity is None]
        vectors = self._embedder.embed_passages(unknown) if unknown else np.empty((0, len(query)))
        cosines = iter(np.round(np.clip(vectors @ query, -1, 1), SIMILARITY_DECIMALS).tolist())
        return tuple(
            Evidence(own.passage, next(cosines) if own.similarity is None else own.similarity)
            for own in found
        )

    def _failed(self, what: str) -> ModelError:
        return ModelError(f"retriever={self._name}: {what}")


def _fields(given: Any) -> Mapping[str, Any]:
    """A passage's text, and what else is known of it; what is None is not."""
    if isinstance(given, str):
        return {"text": given}
    fields = given if isinstance(given, Mapping) else _fields_of_object(given)
    return {name: value for name, value in fields.items() if value is not None}


def _fields_of_object(given: Any) -> Mapping[str, Any]:
    """Its own id comes before one that its metadata has."""
    metadata = getattr(given, "metadata", None) or getattr(given, "meta", None) or {}
    ids, texts = (
        [getattr(given, name, None) for name in names] for names in (ID_ATTRIBUTES, TEXT_ATTRIBUTES)
    )
    known_id = next((own for own in ids if own), metadata.get("id"))
    return {
        **metadata,
        "id": known_id,
        "text": next((own for own in texts if isinstance(own, str)), None),
    }


def own_identity(name: str, search: Search) -> str:
    """What tells a retriever's cells from others: its name and its attribute ``version``."""
    return f"{name} {getattr(search, 'version', 1)}"
