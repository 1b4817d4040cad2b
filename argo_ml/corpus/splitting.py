"""Documents cut into passages of a limited number of the embedder's tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from argo_ml.corpus.embedding import Embedder
from argo_ml.corpus.fitting import cut_characters, fit_titles
from argo_ml.errors import ConfigError, DataError
from argo_ml.types import Document, Passage

logger = logging.getLogger(__name__)

SEPARATORS = (
    *("\n\n", "\n", ". "),
    # Ends of sentences in scripts that need no space after them, and in Hindi and Urdu.
    *("\u3002", "\uff01", "\uff1f", "\u0964", "\u06d4"),
    *("; ", "\uff1b", "\uff0c", " ", ""),
)
"""Tried in this order: a passage ends with a paragraph rather than within a sentence."""

CHARACTERS_PER_TOKEN = 8
"""A passage has at most so many for each token of its size: a word that the embedder does not know
is one token to it, however long. English has four or five."""


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
    """Passages of the documents, in order; those that repeat another word for word are left out.

    A document that fits keeps its id; of others the passages are ``id#1``, ``id#2`` and so on. A
    passage is embedded with its title, so a long title leaves less room for text; one that leaves
    less than half is shortened (`fit_titles`). Raises `ConfigError` if passages of this size do not
    fit into the embedder.
    """
    _check_fits(settings, embedder)
    fitting = fit_titles(documents, settings.chunk_size, embedder)
    titles = embedder.count_tokens([document.title for document in fitting])
    texts = embedder.count_tokens([document.text for document in fitting])
    cutter = _Cutter(settings, embedder)
    passages = [
        passage
        for document, n_title, n_text in zip(fitting, titles, texts, strict=True)
        for passage in cutter.cut(document, n_title, n_text)
    ]
    passages = _without_repeats(passages)
    _check_unique(passages)
    return passages


def _without_repeats(passages: Sequence[Passage]) -> list[Passage]:
    first = {(passage.title, passage.text): passage for passage in reversed(passages)}
    kept = [p for p in passages if first[p.title, p.text] is p]
    n_repeats = len(passages) - len(kept)
    if n_repeats:
        logger.info("passages that repeat another word for word, stored once: %d", n_repeats)
    return kept


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
        texts = self._texts(document.text, n_title, n_text)
        if len(texts) == 1:
            yield Passage(document.id, texts[0], document.title, document.source)
            return
        for number, text in enumerate(texts, 1):
            yield Passage(f"{document.id}#{number}", text, document.title, document.source)

    def _texts(self, text: str, n_title: int, n_text: int) -> list[str]:
        chunk_size, room = self._settings.chunk_size, self._embedder.max_tokens
        size = chunk_size if room is None else min(chunk_size, room - n_title)
        pieces = [text]
        if n_text > size:
            # In proportion, so that it stays below the size where a title takes some of the room.
            overlap = self._settings.chunk_overlap * size // chunk_size
            pieces = _splitter(size, overlap, self._length)(text)
        limit = chunk_size * CHARACTERS_PER_TOKEN
        return [part for piece in pieces for part in cut_characters(piece, limit)]


def _splitter(size: int, overlap: int, length: Callable[[str], int]) -> Callable[[str], list[str]]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(
        separators=list(SEPARATORS),
        keep_separator="end",
        chunk_size=size,
        chunk_overlap=overlap,
        length_function=length,
    ).split_text
