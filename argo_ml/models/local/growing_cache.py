"""A key-value cache that grows in place, where that of Transformers is copied at every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

SPARE_COLUMNS = 32
"""Columns allocated beyond those in use: one copy per so many new tokens."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer whose ``keys`` and ``values`` are views of the used columns of larger tensors."""

    _room: list[torch.Tensor]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        used = self.get_seq_length()
        if not self.is_initialized:
            self.begin_with([_room(key_states, 0), _room(value_states, 0)], 0)
        needed = used + key_states.shape[-2]
        if needed > self._room[0].shape[-2]:
            self._room = [
                _grown(old[..., :used, :], new)
                for old, new in zip(self._room, (key_states, value_states), strict=True)
            ]
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[..., used:needed, :] = new
        return self._use(needed)

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        used = self.get_seq_length()
        if used == 0:
            return
        selected = beam_idx.to(self._room[0].device)
        self._room = [room.index_select(0, selected) for room in self._room]
        self._use(used)

    def begin_with(self, rooms: Sequence[torch.Tensor], used: int) -> None:
        """Take over (rows, heads, columns, width) keys and values; ``used`` columns count."""
        self._room = list(rooms)
        self.dtype, self.device = rooms[0].dtype, rooms[0].device
        self.is_initialized = True
        self._use(used)

    def _use(self, n_columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (room[..., :n_columns, :] for room in self._room)
        self.keys, self.values = keys, values
        return keys, values


def _room(states: torch.Tensor, n_columns: int) -> torch.Tensor:
    rows, heads, _, width = states.shape
    return states.new_empty((rows, heads, n_columns, width))


def _grown(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    used = old.shape[-2]
    room = _room(new, used + new.shape[-2] + SPARE_COLUMNS)
    room[..., :used, :] = old
    return room


def empty_cache(config: Any) -> Any:
    """The cache that the model's configuration asks for, its plain layers growing in place."""
    cache = DynamicCache(config=config)
    cache.layers = [
        GrowingLayer() if type(layer) is DynamicLayer else layer  # type: ignore[no-untyped-call]
        for layer in cache.layers
    ]
    return cache


def keeps_every_token(cache: Any) -> bool:
    """Whether every layer keeps the keys and values of every token, in order."""
    return bool(cache.layers) and all(type(layer) is GrowingLayer for layer in cache.layers)


def select_rows(cache: Any, rows: Sequence[int]) -> None:
    """Keep these rows of every layer, whatever it holds of them; a row may be named again.

    Layers of linear attention and convolutions know ``reorder_cache`` alone, and those that hold
    keys and values beside such states forget the states in ``batch_select_indices``.
    """
    # On the CPU, since layers of one cache may lie on several devices.
    index = torch.tensor(rows)
    for layer in cache.layers:
        layer.reorder_cache(index)


def selected_cache(config: Any, cache: Any, rows: torch.Tensor, begin: int) -> Any:
    """A plain cache of these rows of another, from column ``begin`` on; rows may repeat."""
    return filled_cache(
        config,
        [
            (_with_room(layer.keys, rows, begin), _with_room(layer.values, rows, begin))
            for layer in cache.layers
        ],
        cache.get_seq_length() - begin,
    )


def _with_room(states: torch.Tensor, rows: torch.Tensor, begin: int) -> torch.Tensor:
    """The rows' columns from ``begin`` on, and `SPARE_COLUMNS` that hold nothing yet."""
    selected = states[rows.to(states.device), :, begin:]
    return _grown(selected, selected[..., :0, :])


def filled_cache(
    config: Any, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], n_used: int
) -> Any:
    """A plain cache that begins with these keys and values, one pair per layer.

    They are (rows, heads, columns, width); columns from ``n_used`` on are room to grow.
    """
    cache = empty_cache(config)
    for layer, rooms in zip(cache.layers, layers, strict=True):
        layer.begin_with(rooms, n_used)
    return cache


def merged_cache(config: Any, parts: Sequence[tuple[Sequence[int], Any]]) -> Any:
    """One cache of all rows: ``parts`` say which rows of it a plain cache holds.

    Narrower parts are padded on the left.
    """
    n_rows = sum(len(rows) for rows, _ in parts)
    width = max(cache.get_seq_length() for _, cache in parts)
    merged = empty_cache(config)
    for index, layer in enumerate(merged.layers):
        layer.begin_with([_joined(parts, index, name, n_rows, width) for name in _PAIR], width)
    return merged


_PAIR = ("keys", "values")


def _joined(
    parts: Sequence[tuple[Sequence[int], Any]], index: int, name: str, n_rows: int, width: int
) -> torch.Tensor:
    first: torch.Tensor = getattr(parts[0][1].layers[index], name)
    # Padding is masked, but what it holds is still multiplied by zero and must be a number.
    room = first.new_zeros((n_rows, first.shape[1], width + SPARE_COLUMNS, first.shape[3]))
    for rows, cache in parts:
        states = getattr(cache.layers[index], name)
        room[list(rows), :, width - states.shape[2] : width] = states
    return room
