"""Which part of a text each of its tokens is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from argo_ml.types import TokenDetail


def added_texts(beginnings: Sequence[str]) -> list[str]:
    """What each token adds to a text, from the text of the first token, the first two, and so on.

    Some characters take several tokens, and are shown as another one until the last of those: it
    has the character, and the others have nothing.
    """
    return list(_added(beginnings))


def _added(beginnings: Sequence[str]) -> Iterator[str]:
    begin = 0
    for beginning in beginnings:
        end = max(begin, _n_equal(beginning, beginnings[-1]))
        yield beginnings[-1][begin:end]
        begin = end


def _n_equal(first: str, second: str) -> int:
    """Characters with which both begin."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))


def within(tokens: Sequence[TokenDetail], begin: int, end: int) -> tuple[TokenDetail, ...]:
    """Tokens from character ``begin`` to ``end`` of their joined text, cut at both."""
    return tuple(_within(tokens, begin, end))


def _within(tokens: Sequence[TokenDetail], begin: int, end: int) -> Iterator[TokenDetail]:
    start = 0
    for token in tokens:
        stop = start + len(token.text)
        # A token without text belongs to the character that follows.
        if start < end and (stop > begin or start >= begin):
            yield replace(token, text=token.text[max(0, begin - start) : end - start])
        start = stop
