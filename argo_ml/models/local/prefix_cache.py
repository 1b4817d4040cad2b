"""Keys and values of prompts' beginnings, kept so that a later prompt computes only its own end.

Prompts are cut into blocks of tokens; a block is known by its tokens and all before it, so equal
beginnings share their blocks (Kwon et al. 2023, PagedAttention, section 4.3).
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_ml.models.local.block_pool import BLOCK_TOKENS, BlockPool, Pair

BlockKey = tuple[int, tuple[int, ...]]
"""The number of the block before (0: none) and the block's own tokens."""


@dataclass(frozen=True, slots=True)
class _Block:
    number: int
    slot: int


class PrefixCache:
    """Keeps at most ``limit_bytes`` of blocks; those that nothing asked for longest go first.

    Lasting ones begin prompts of later steps as well. Passing ones, which few prompts of about the
    same time share, take no more than half of the memory from them.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._lasting: OrderedDict[BlockKey, _Block] = OrderedDict()
        self._passing: OrderedDict[BlockKey, _Block] = OrderedDict()
        self._pool: BlockPool | None = None
        self._free: list[int] = []
        self._last_number = 0

    @property
    def n_bytes(self) -> int:
        n_blocks = len(self._lasting) + len(self._passing)
        return n_blocks * self._pool.block_bytes if self._pool else 0

    @property
    def n_passing_blocks(self) -> int:
        """Passing blocks that there is always room for; before the first is written, any number."""
        if self._pool is None:
            return sys.maxsize if self.limit_bytes else 0
        return self._pool.n_slots // 2

    def cached_tokens(self, ids: Sequence[int]) -> int:
        """Leading tokens that need not be computed; at least one token always does."""
        return BLOCK_TOKENS * len(self._find(ids[: len(ids) - 1]))

    def read(
        self, rows: Sequence[Sequence[int]], n_cached: Sequence[int], n_spare: int = 0
    ) -> list[Pair]:
        """Keys and values of the first ``n_cached`` tokens of each row, one pair per layer.

        Shorter rows are padded on the left; ``n_spare`` columns follow that hold nothing yet.
        ``n_cached`` are what `cached_tokens` says now, at least one of them above 0.
        """
        assert self._pool is not None, "nothing was ever written"
        slots = [
            [block.slot for block in self._find(ids[:n])]
            for ids, n in zip(rows, n_cached, strict=True)
        ]
        return self._pool.read(slots, n_spare)

    def write(
        self,
        rows: Sequence[Sequence[int]],
        n_cached: Sequence[int],
        layers: Sequence[Any],
        columns: Sequence[int],
        n_lasting: Sequence[int],
    ) -> None:
        """Keep the whole blocks of all ``rows``, of which the first ``n_lasting`` tokens last.

        The first ``n_cached`` tokens of each were read from here; the others stand in ``layers``,
        whose ``keys`` and ``values`` are (rows, heads, columns, width), from ``columns`` on.
        """
        if not self.limit_bytes:
            return
        if self._pool is None:
            self._pool = BlockPool(layers, self.limit_bytes)
            self._free = self._pool.slots()
        sources: dict[int, tuple[int, int]] = {}
        numbered = enumerate(zip(rows, n_cached, columns, n_lasting, strict=True))
        for row, (ids, known, column, n) in numbered:
            for slot, begin in self._place(ids, known, n).items():
                # A slot may be taken away again by a later row.
                sources[slot] = (row, column + begin - known)
        self._pool.write(layers, sources)

    def clear(self) -> None:
        """Forget all blocks and give their memory back."""
        self._lasting.clear()
        self._passing.clear()
        self._pool = None

    def keep_nothing(self) -> None:
        """Forget all blocks, and keep none from now on."""
        self.clear()
        self.limit_bytes = 0

    def _place(self, ids: Sequence[int], n_cached: int, n_lasting: int) -> Mapping[int, int]:
        """Slots for the blocks of ``ids`` that are not known yet, and where each block begins."""
        placed: dict[int, int] = {}
        path: list[BlockKey] = []
        before = 0
        for begin, tokens in cut_ids(ids):
            key = (before, tokens)
            block = self._get(key)
            if block is None:
                # One that was dropped since it was read has no keys and values at hand.
                slot = self._slot(path) if begin >= n_cached else None
                if slot is None:
                    break
                placed[slot] = begin
                self._last_number += 1
                block = self._passing[key] = _Block(self._last_number, slot)
            if begin + BLOCK_TOKENS <= n_lasting and key in self._passing:
                self._lasting[key] = self._passing.pop(key)
            path.append(key)
            before = block.number
        self._touch(path)
        return placed

    def _slot(self, path: Sequence[BlockKey]) -> int | None:
        """A free slot, or that of the oldest block that is not on ``path``."""
        if self._free:
            return self._free.pop()
        own = set(path)
        many = len(self._passing) > self.n_passing_blocks
        kinds = (self._passing, self._lasting) if many else (self._lasting, self._passing)
        for blocks in kinds:
            oldest = next(iter(blocks), None)
            if oldest is not None and oldest not in own:
                return blocks.pop(oldest).slot
        return None

    def _find(self, ids: Sequence[int]) -> list[_Block]:
        """The blocks that ``ids`` begin with."""
        path: list[BlockKey] = []
        blocks: list[_Block] = []
        for _, tokens in cut_ids(ids):
            key = (blocks[-1].number if blocks else 0, tokens)
            block = self._get(key)
            if block is None:
                break
            path.append(key)
            blocks.append(block)
        self._touch(path)
        return blocks

    def _get(self, key: BlockKey) -> _Block | None:
        return self._lasting.get(key) or self._passing.get(key)

    def _touch(self, path: Sequence[BlockKey]) -> None:
        # Beginnings last, so that they outlive what hangs on them.
        for key in reversed(path):
            (self._lasting if key in self._lasting else self._passing).move_to_end(key)


def cut_ids(ids: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where each whole block begins, and its tokens."""
    for begin in range(0, len(ids) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        yield begin, tuple(ids[begin : begin + BLOCK_TOKENS])
