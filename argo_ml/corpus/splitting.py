"""Documents cut into passages of a limited number of the embedder's tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from langchain_text_splitters import RecursiveCharacterTextSplitter

from argo_ml.corpus.embedding import Embedder
from argo_ml.errors import ConfigError, DataError
from argo_ml.types import Document, Passage

SEPARATORS = ("\n\n", "\n", ". ", "; ", " ", "")
"""Tried in this order: a passage ends with a paragraph rather than within a sentence."""


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """Passage size and overlap, in tokens."""

    chunk_size: int
    chunk_overlap: int


def embedded_text(title: str, text: str) -> str:
    """What is embedded for a passage."""
    return f"{title}\n{text}" if title else text


def split(
    documents: Sequence[Document], settings: SplitSettings, embedder: Embedder
) -> list[Passage]:
    """Passages of the documents, in order.

    A document that fits keeps its id; of others the passages are ``id#1``, ``id#2`` and so on. A
    passage is embedded with its title, so a long title leaves less room for text. Raises
    `ConfigError` if passages of this size do not fit into the embedder.
    """
    _check_fits(settings, embedder)
    titles = embedder.count_tokens([document.title for document in documents])
    texts = embedder.count_tokens([document.text for document in documents])
    cutter = _Cutter(settings, embedder)
    passages = [
        passage
        for document, n_title, n_text in zip(documents, titles, texts, strict=True)
        for passage in cutter.cut(document, n_title, n_text)
    ]
    _check_unique(passages)
    return passages


def _check_fits(settings: SplitSettings, embedder: Embedder) -> None:
    room = embedder.max_tokens
    if room is not None and settings.chunk_size > room:
        raise ConfigError(
            f"chunk_size={settings.chunk_size}: embedding_model={embedder.name} reads at most "
            f"{room} tokens of a passage; use chunk_size={room} or less"
        )


def _check_unique(passages: Sequence[Passage]) -> None:
    ids: set[str] = set()
    for passage in passages:
        if passage.id in ids:
            raise DataError(f"documents: two passages have the id {passage.id!r}; rename one")
        ids.add(passage.id)


class _Cutter:
    def __init__(self, settings: SplitSettings, embedder: Embedder) -> None:
        self._settings = settings
        self._embedder = embedder
        # The splitter measures single words again and again.
        self._length = lru_cache(maxsize=100_000)(lambda text: embedder.count_tokens([text])[0])

    def cut(self, document: Document, n_title: int, n_text: int) -> Iterator[Passage]:
        size = self._size_beside(document, n_title)
        if n_text <= size:
            yield Passage(document.id, document.text, document.title, document.source)
            return
        # In proportion, so that it stays below the size where a title takes some of the room.
        overlap = self._settings.chunk_overlap * size // self._settings.chunk_size
        for number, text in enumerate(_splitter(size, overlap, self._length)(document.text), 1):
            yield Passage(f"{document.id}#{number}", text, document.title, document.source)

    def _size_beside(self, document: Document, n_title: int) -> int:
        room = self._embedder.max_tokens
        if room is None:
            return self._settings.chunk_size
        size = min(self._settings.chunk_size, room - n_title)
        if 2 * size < self._settings.chunk_size:
            raise ConfigError(
                f"chunk_size={self._settings.chunk_size}: the title of {document.id!r} takes "
                f"{n_title} of the {room} tokens that embedding_model={self._embedder.name} "
                "reads; shorten the title or use a smaller chunk_size"
            )
        return size


def _splitter(size: int, overlap: int, length: Callable[[str], int]) -> Callable[[str], list[str]]:
    return RecursiveCharacterTextSplitter(
        separators=list(SEPARATORS),
        keep_separator="end",
        chunk_size=size,
        chunk_overlap=overlap,
        length_function=length,
    ).split_text
