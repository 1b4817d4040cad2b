"""Titles and words that are longer than any passage, cut to what fits."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from argo_ml.corpus.embedding import Embedder
from argo_ml.types import Document

LONGEST_TITLE = 1000
"""Characters of a passage's title."""


def fit_titles(
    documents: Sequence[Document], chunk_size: int, embedder: Embedder
) -> list[Document]:
    """Documents whose titles leave half of a passage's size, and are of `LONGEST_TITLE` at most.

    A title that is cut comes whole before its document's text, so that no word is lost.
    """
    room = embedder.max_tokens
    n_allowed = None if room is None else room - (chunk_size + 1) // 2
    counts = embedder.count_tokens([document.title for document in documents])
    return [
        document
        if len(document.title) <= LONGEST_TITLE and (n_allowed is None or n_title <= n_allowed)
        else _with_short_title(document, n_allowed, embedder)
        for document, n_title in zip(documents, counts, strict=True)
    ]


def _with_short_title(document: Document, n_allowed: int | None, embedder: Embedder) -> Document:
    title = document.title[:LONGEST_TITLE]
    if n_allowed is not None:
        lengths = range(len(title) + 1)
        n_fitting = bisect_right(
            lengths, n_allowed, key=lambda length: embedder.count_tokens([title[:length]])[0]
        )
        title = title[: max(n_fitting - 1, 0)]
    at_word = title.rpartition(" ")[0] or title
    return replace(document, title=at_word.strip(), text=f"{document.title}\n\n{document.text}")


def cut_characters(text: str, limit: int) -> Iterator[str]:
    """Parts of at most ``limit`` characters, ending at white space where there is some."""
    while len(text) > limit:
        end = _end_of_part(text, limit)
        yield text[:end].rstrip()
        text = text[end:].lstrip()
    if text:
        yield text


def _end_of_part(text: str, limit: int) -> int:
    for end in range(limit, limit // 2, -1):
        if text[end].isspace():
            return end
    # An accent or a vowel sign stays with its letter.
    for end in range(limit, limit // 2, -1):
        if not unicodedata.category(text[end]).startswith("M"):
            return end
    return limit
