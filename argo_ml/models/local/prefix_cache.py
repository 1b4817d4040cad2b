"""Keys and values of prompts' beginnings, kept so that a later prompt computes only its own end.

Prompts are cut into blocks of tokens; a block is known by its tokens and all before it, so equal
beginnings share their blocks (Kwon et al. 2023, PagedAttention, section 4.3).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

BLOCK_TOKENS = 16
"""Tokens per block: what a beginning that is reused is rounded down to."""

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer."""


_Key = tuple[int, tuple[int, ...]]
"""The number of the block before (0: none) and the block's own tokens."""


@dataclass(frozen=True, slots=True)
class _Block:
    """All layers' keys, then all their values.

    Each part is (tensors, heads, BLOCK, width) and holds neighbours of one device and shape.
    """

    number: int
    parts: tuple[torch.Tensor, ...]

    @property
    def n_bytes(self) -> int:
        return sum(part.numel() * part.element_size() for part in self.parts)


class PrefixCache:
    """Keeps at most ``limit_bytes`` of blocks; those that nothing asked for longest go first."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.n_bytes = 0
        self._blocks: OrderedDict[_Key, _Block] = OrderedDict()
        self._last_number = 0

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
        blocks_by_row = [self._find(ids[:n]) for ids, n in zip(rows, n_cached, strict=True)]
        template = next(row_blocks[0] for row_blocks in blocks_by_row if row_blocks)
        width = max(n_cached)
        states: list[torch.Tensor] = []
        for index, part in enumerate(template.parts):
            n_tensors, heads, _, size = part.shape
            room = part.new_empty((n_tensors, len(rows), heads, width + n_spare, size))
            for row, row_blocks in enumerate(blocks_by_row):
                begin = width - BLOCK_TOKENS * len(row_blocks)
                # Padding is masked, but it is still multiplied by zero and must be a number.
                room[:, row, :, :begin] = 0
                if row_blocks:
                    joined = torch.cat([block.parts[index] for block in row_blocks], dim=2)
                    room[:, row, :, begin:width] = joined
            states += room.unbind()
        n_layers = len(states) // 2
        return list(zip(states[:n_layers], states[n_layers:], strict=True))

    def write(
        self, ids: Sequence[int], n_cached: int, layers: Sequence[Any], row: int, column: int
    ) -> None:
        """Keep the whole blocks of ``ids``.

        The first ``n_cached`` tokens were read from here; the others stand in ``layers``, whose
        ``keys`` and ``values`` are (rows, heads, columns, width), from ``column`` on.
        """
        if not self.limit_bytes:
            return
        path: list[_Key] = []
        before = 0
        cut: Iterator[tuple[torch.Tensor, ...]] | None = None
        for begin, tokens in _cut_ids(ids):
            key = (before, tokens)
            block = self._blocks.get(key)
            if block is None and begin < n_cached:
                # It was dropped since it was read, and its keys and values are not at hand.
                break
            if block is None:
                end = len(ids) - len(ids) % BLOCK_TOKENS
                cut = cut or _cut_layers(
                    layers, row, column + begin - n_cached, column + end - n_cached
                )
                block = self._add(key, next(cut))
            path.append(key)
            before = block.number
        self._touch(path)
        while self.n_bytes > self.limit_bytes:
            _, oldest = self._blocks.popitem(last=False)
            self.n_bytes -= oldest.n_bytes

    def clear(self) -> None:
        self._blocks.clear()
        self.n_bytes = 0

    def _find(self, ids: Sequence[int]) -> list[_Block]:
        """The blocks that ``ids`` begin with."""
        path: list[_Key] = []
        blocks: list[_Block] = []
        for _, tokens in _cut_ids(ids):
            key = (blocks[-1].number if blocks else 0, tokens)
            block = self._blocks.get(key)
            if block is None:
                break
            path.append(key)
            blocks.append(block)
        self._touch(path)
        return blocks

    def _add(self, key: _Key, parts: tuple[torch.Tensor, ...]) -> _Block:
        self._last_number += 1
        block = _Block(self._last_number, parts)
        self._blocks[key] = block
        self.n_bytes += block.n_bytes
        return block

    def _touch(self, path: Sequence[_Key]) -> None:
        # Beginnings last, so that they outlive what hangs on them.
        for key in reversed(path):
            self._blocks.move_to_end(key)


def _cut_ids(ids: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where each whole block begins, and its tokens."""
    for begin in range(0, len(ids) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        yield begin, tuple(ids[begin : begin + BLOCK_TOKENS])


def _cut_layers(
    layers: Sequence[Any], row: int, begin: int, end: int
) -> Iterator[tuple[torch.Tensor, ...]]:
    """The parts of each block of these columns of one row, in order.

    The layers are gathered once for all columns; a block is a copy, so that dropping it frees it.
    """
    states = [layer.keys for layer in layers] + [layer.values for layer in layers]
    groups: list[list[torch.Tensor]] = []
    for tensor in (state[row, :, begin:end] for state in states):
        if groups and _alike(groups[-1][0], tensor):
            groups[-1].append(tensor)
        else:
            groups.append([tensor])
    whole = [torch.stack(group) for group in groups]
    for first in range(0, end - begin, BLOCK_TOKENS):
        yield tuple(part[:, :, first : first + BLOCK_TOKENS].clone() for part in whole)


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.device == other.device and one.shape == other.shape
