"""In which order prompts of a batch are computed, so that what several begin with is so once.

SGLang orders requests by a radix tree of their prompts likewise (Zheng et al. 2024, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.models.local.block_pool import BLOCK_TOKENS
from argo_ml.models.local.prefix_cache import cut_ids

_Key = tuple[int, tuple[int, ...]]
"""The number of the block before (0: none) and the block's own tokens."""


class _Tree:
    """Blocks of prompts' beginnings, at most ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[_Key, int] = {}

    def known_tokens(self, ids: Sequence[int]) -> int:
        """Leading tokens of ``ids`` that are here; the last token never counts."""
        before = n_known = 0
        for begin, tokens in cut_ids(ids[: len(ids) - 1]):
            number = self._numbers.get((before, tokens))
            if number is None:
                break
            before, n_known = number, begin + BLOCK_TOKENS
        return n_known

    def add(self, ids: Sequence[int]) -> None:
        """Nothing where there is no room for all of them."""
        if len(self._numbers) + len(ids) // BLOCK_TOKENS > self._limit:
            return
        before = 0
        for _, tokens in cut_ids(ids):
            before = self._numbers.setdefault((before, tokens), len(self._numbers) + 1)


def waves(
    prompts: Sequence[Sequence[int]], n_cached: Sequence[int], n_blocks: int, pass_tokens: int
) -> list[list[int]]:
    """Rows to compute together, wave after wave; every row is in one of them.

    ``prompts`` are token ids, of which the first ``n_cached`` are known already; ``n_blocks`` of
    `BLOCK_TOKENS` tokens can be kept from one wave to the next. Rows wait for another one that
    begins as they do where that saves more than the ``pass_tokens`` that one more wave costs.
    """
    tree = _Tree(n_blocks)
    known = list(n_cached)
    waiting = list(range(len(prompts)))
    found: list[list[int]] = []
    while waiting:
        computed, later, saved = _first_wave(prompts, known, waiting, n_blocks)
        if saved <= pass_tokens:
            return [*found, waiting]
        found.append(computed)
        for row in computed:
            tree.add(prompts[row])
        known = [max(n, tree.known_tokens(ids)) for n, ids in zip(known, prompts, strict=True)]
        waiting = later
    return found


def _first_wave(
    prompts: Sequence[Sequence[int]], known: Sequence[int], waiting: Sequence[int], n_blocks: int
) -> tuple[list[int], list[int], int]:
    """Rows to compute now, those that gain by waiting, and how many tokens these gain."""
    tree = _Tree(n_blocks)
    computed, later, saved = [], [], 0
    for row in waiting:
        gained = tree.known_tokens(prompts[row]) - known[row]
        if gained > 0:
            later.append(row)
            saved += gained
        else:
            computed.append(row)
            tree.add(prompts[row])
    return computed, later, saved
