"""In which order prompts of a batch are computed, so that what several begin with is so once.

SGLang orders requests by a radix tree of their prompts likewise (Zheng et al. 2024, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.models.local.block_pool import BLOCK_TOKENS
from argo_ml.models.local.prefix_cache import BlockKey, cut_ids

LEAST_SHARED = 2
"""Blocks that a prompt waits for at least; a system prompt alone is soon known to all."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Rows to compute together, and how many leading tokens of each to keep.

    Those are what later waves begin with, and all where there is room for it.
    """

    rows: list[int]
    n_kept: list[int]


class _Tree:
    """The blocks that some prompts begin with, and which of them others wait for."""

    def __init__(self) -> None:
        self._numbers: dict[BlockKey, int] = {}
        self.awaited: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    def path(self, ids: Sequence[int]) -> list[int]:
        """The blocks here that ``ids`` begin with; its last token is in none of them."""
        path: list[int] = []
        for _, tokens in cut_ids(ids[: len(ids) - 1]):
            number = self._numbers.get((path[-1] if path else 0, tokens))
            if number is None:
                break
            path.append(number)
        return path

    def add(self, ids: Sequence[int]) -> None:
        before = 0
        for _, tokens in cut_ids(ids):
            before = self._numbers.setdefault((before, tokens), len(self._numbers) + 1)

    def n_awaited(self, ids: Sequence[int]) -> int:
        """Leading tokens of ``ids`` that others wait for."""
        before = n_awaited = 0
        for begin, tokens in cut_ids(ids):
            before = self._numbers[before, tokens]
            if before in self.awaited:
                n_awaited = begin + BLOCK_TOKENS
        return n_awaited


def waves(
    prompts: Sequence[Sequence[int]], n_cached: Sequence[int], n_blocks: int, wave_tokens: int
) -> list[Wave]:
    """Rows to compute together, wave after wave; every row is in one of them.

    ``prompts`` are token ids, of which the first ``n_cached`` are known already; ``n_blocks`` of
    `BLOCK_TOKENS` tokens can be kept for later waves. Rows wait for one that begins as they do
    where that saves all of them more than the ``wave_tokens`` that one more wave costs.
    """
    known = dict(enumerate(n_cached))
    found: list[Wave] = []
    while known:
        tree, computed, later = _Tree(), [], {}
        for row, n_known in known.items():
            path = tree.path(prompts[row])
            gained = path[n_known // BLOCK_TOKENS :]
            awaited = tree.awaited.union(gained)
            if len(gained) >= LEAST_SHARED and len(awaited) <= n_blocks:
                later[row] = BLOCK_TOKENS * len(path)
                tree.awaited = awaited
            else:
                computed.append(row)
                tree.add(prompts[row])
        if sum(later[row] - known[row] for row in later) <= wave_tokens:
            return [*found, Wave(list(known), [len(prompts[row]) for row in known])]
        own = [prompts[row] for row in computed]
        keeps_all = len(tree) <= n_blocks
        found.append(
            Wave(computed, [len(ids) if keeps_all else tree.n_awaited(ids) for ids in own])
        )
        n_blocks -= len(tree) if keeps_all else len(tree.awaited)
        known = later
    return found
