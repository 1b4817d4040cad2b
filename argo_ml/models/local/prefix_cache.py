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
    """Keys and values (layers, 2, heads, BLOCK, width), one tensor per device and shape."""

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
        layers: list[Pair] = []
        for index, part in enumerate(template.parts):
            n_layers, _, heads, _, size = part.shape
            room = part.new_empty((n_layers, 2, len(rows), heads, width + n_spare, size))
            for row, row_blocks in enumerate(blocks_by_row):
                begin = width - BLOCK_TOKENS * len(row_blocks)
                # Padding is masked, but it is still multiplied by zero and must be a number.
                room[:, :, row, :, :begin] = 0
                for block in row_blocks:
                    room[:, :, row, :, begin : begin + BLOCK_TOKENS] = block.parts[index]
                    begin += BLOCK_TOKENS
            layers += [(room[layer, 0], room[layer, 1]) for layer in range(n_layers)]
        return layers

    def write(
        self, ids: Sequence[int], n_cached: int, layers: Sequence[Any], row: int, column: int
    ) -> None:
        """Keep the whole blocks of ``ids``.

        The first ``n_cached`` tokens were read from here; the others stand in ``layers``, whose
        ``keys`` and ``values`` are (rows, heads, columns, width), from ``column`` on.
        """
        path: list[_Key] = []
        before = 0
        for begin, tokens in _cut_ids(ids):
            key = (before, tokens)
            block = self._blocks.get(key)
            if block is None and begin < n_cached:
                # It was dropped since it was read, and its keys and values are not at hand.
                break
            if block is None:
                block = self._add(key, layers, row, column + begin - n_cached)
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

    def _add(self, key: _Key, layers: Sequence[Any], row: int, column: int) -> _Block:
        self._last_number += 1
        block = _Block(self._last_number, _cut_layers(layers, row, column, column + BLOCK_TOKENS))
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


def _cut_layers(layers: Sequence[Any], row: int, begin: int, end: int) -> tuple[torch.Tensor, ...]:
    """Columns of one row, consecutive layers of one device and shape in one tensor."""
    parts: list[list[torch.Tensor]] = []
    for layer in layers:
        pair = torch.stack([layer.keys[row, :, begin:end], layer.values[row, :, begin:end]])
        if parts and parts[-1][0].device == pair.device and parts[-1][0].shape == pair.shape:
            parts[-1].append(pair)
        else:
            parts.append([pair])
    return tuple(torch.stack(part) for part in parts)
