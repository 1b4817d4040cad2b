"""Memory for blocks of keys and values, moved in and out by one gather per layer and batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from argo_ml.models.local.batching import is_out_of_memory

BLOCK_TOKENS = 16
"""Tokens per block: what a beginning that is reused is rounded down to."""

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer."""

_EMPTY = 0
"""The slot that holds zeros: padding is masked, but it is still multiplied and must be a number."""


class BlockPool:
    """Slots for blocks in tensors like those of ``layers``, of at most ``limit_bytes`` together.

    Fewer where memory does not have room for as many.
    """

    def __init__(self, layers: Sequence[Any], limit_bytes: int) -> None:
        states = _states(layers)
        self.block_bytes = sum(_bytes_per_block(state) for state in states)
        self._tensors: list[torch.Tensor] = []
        n_slots = limit_bytes // self.block_bytes
        while n_slots and not self._tensors:
            self._tensors = _allocated(states, n_slots + 1)
            n_slots = len(self._tensors[0]) - 1 if self._tensors else n_slots // 2
        self.n_slots = n_slots

    def slots(self) -> list[int]:
        """All slots, the first one last."""
        return list(range(self.n_slots, 0, -1))

    def read(self, slots: Sequence[Sequence[int]], n_spare: int) -> list[Pair]:
        """Keys and values (rows, heads, columns, width) of each layer, from the slots of each row.

        Shorter rows are padded on the left; ``n_spare`` columns follow that hold nothing yet.
        """
        width = max(map(len, slots))
        index = torch.tensor([[*[_EMPTY] * (width - len(row)), *row] for row in slots])
        on_device = {tensor.device: index.to(tensor.device) for tensor in self._tensors}
        read = [_joined(tensor, on_device[tensor.device], n_spare) for tensor in self._tensors]
        return list(zip(read[::2], read[1::2], strict=True))

    def write(self, layers: Sequence[Any], sources: Mapping[int, tuple[int, int]]) -> None:
        """Fill slots from the rows of ``layers``, and the columns from there on, that they name."""
        if not sources:
            return
        slots = torch.tensor(list(sources))
        rows, begins = torch.tensor(list(sources.values())).unbind(dim=1)
        columns = begins[:, None] + torch.arange(BLOCK_TOKENS)
        indices = (slots, rows[:, None], columns)
        states = _states(layers)
        on_device = {
            state.device: [index.to(state.device) for index in indices] for state in states
        }
        for tensor, state in zip(self._tensors, states, strict=True):
            to, row, column = on_device[state.device]
            tensor[to] = state[row, :, column].transpose(1, 2)


def _states(layers: Sequence[Any]) -> list[torch.Tensor]:
    """Keys and values of every layer, in turn."""
    return [state for layer in layers for state in (layer.keys, layer.values)]


def _bytes_per_block(state: torch.Tensor) -> int:
    _, heads, _, width = state.shape
    return heads * BLOCK_TOKENS * width * state.element_size()


def _allocated(states: Sequence[torch.Tensor], n_slots: int) -> list[torch.Tensor]:
    """A tensor (slots, heads, BLOCK, width) for each state; none where memory has no room."""
    try:
        tensors = [
            state.new_empty((n_slots, state.shape[1], BLOCK_TOKENS, state.shape[3]))
            for state in states
        ]
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return []
    for tensor in tensors:
        tensor[_EMPTY] = 0
    return tensors


def _joined(tensor: torch.Tensor, index: torch.Tensor, n_spare: int) -> torch.Tensor:
    n_rows, n_blocks = index.shape
    _, heads, size, width = tensor.shape
    room = tensor.new_empty((n_rows, heads, n_blocks * size + n_spare, width))
    known = torch.unflatten(room[:, :, : n_blocks * size], 2, (n_blocks, size))
    known.copy_(tensor[index].transpose(1, 2))
    return room
