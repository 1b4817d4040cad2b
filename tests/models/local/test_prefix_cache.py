from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from argo_ml.models.local import block_pool
from argo_ml.models.local.block_pool import BLOCK_TOKENS
from argo_ml.models.local.prefix_cache import PrefixCache

N_LAYERS, HEADS, WIDTH = 3, 2, 4
BLOCK_BYTES = N_LAYERS * 2 * HEADS * BLOCK_TOKENS * WIDTH * 4


@dataclass
class Layer:
    keys: torch.Tensor
    values: torch.Tensor


def layers(rows: list[list[int]], n_columns: int) -> list[Layer]:
    """Keys and values that name layer and token; rows stand at the right."""
    made = []
    for number in range(N_LAYERS):
        keys = torch.zeros(len(rows), HEADS, n_columns, WIDTH)
        for row, ids in enumerate(rows):
            for offset, token in enumerate(ids):
                keys[row, :, n_columns - len(ids) + offset] = token + number / 10
        made.append(Layer(keys, -keys))
    return made


def written(ids: list[int], limit_bytes: int = 10**9) -> PrefixCache:
    cache = PrefixCache(limit_bytes)
    cache.write([ids], [0], layers([ids], len(ids)), [0], [len(ids)])
    return cache


def test_nothing_is_known_at_first() -> None:
    assert PrefixCache(10**9).cached_tokens(list(range(100))) == 0


def test_whole_blocks_of_a_beginning_are_known() -> None:
    ids = list(range(2 * BLOCK_TOKENS + 5))
    cache = written(ids)

    assert cache.cached_tokens([*ids, 7, 7]) == 2 * BLOCK_TOKENS
    assert cache.n_bytes == 2 * BLOCK_BYTES


def test_one_token_is_always_left_to_compute() -> None:
    ids = list(range(2 * BLOCK_TOKENS))

    assert written(ids).cached_tokens(ids) == BLOCK_TOKENS


def test_another_beginning_is_not_taken_for_it() -> None:
    ids = list(range(2 * BLOCK_TOKENS))
    other = [99, *ids[1:]]

    assert written(ids).cached_tokens([*other, 1]) == 0


def test_rows_are_read_as_they_were_written_with_padding_on_the_left() -> None:
    long, short = list(range(1, 2 * BLOCK_TOKENS + 1)), list(range(1, BLOCK_TOKENS + 1))
    cache = written(long)

    read = cache.read([[*long, 1], [*short, 99]], [2 * BLOCK_TOKENS, BLOCK_TOKENS])

    assert len(read) == N_LAYERS
    expected = layers([long, short], 2 * BLOCK_TOKENS)
    for (keys, values), layer in zip(read, expected, strict=True):
        assert torch.equal(keys, layer.keys)
        assert torch.equal(values, layer.values)


def test_continued_row_is_written_from_its_own_column() -> None:
    ids = list(range(1, 3 * BLOCK_TOKENS + 1))
    cache = written(ids[:BLOCK_TOKENS])
    padded = layers([ids], len(ids) + 4)

    cache.write([ids], [BLOCK_TOKENS], padded, [4 + BLOCK_TOKENS], [len(ids)])

    [(keys, _), *_] = cache.read([[*ids, 1]], [3 * BLOCK_TOKENS])
    assert torch.equal(keys, layers([ids], 3 * BLOCK_TOKENS)[0].keys)


def test_rows_of_a_batch_are_written_together_and_share_what_they_begin_with() -> None:
    one, other = list(range(1, 3 * BLOCK_TOKENS + 1)), list(range(1, BLOCK_TOKENS + 1))
    other += [99] * BLOCK_TOKENS
    cache = PrefixCache(10**9)
    state = layers([one, other], len(one))

    cache.write([one, other], [0, 0], state, [0, BLOCK_TOKENS], [100, 100])

    assert cache.n_bytes == 4 * BLOCK_BYTES
    read = cache.read([[*one, 1], [*other, 1]], [3 * BLOCK_TOKENS, 2 * BLOCK_TOKENS])
    for (keys, values), layer in zip(read, state, strict=True):
        assert torch.equal(keys, layer.keys)
        assert torch.equal(values, layer.values)


def test_a_row_may_take_the_place_of_an_earlier_one_of_its_batch() -> None:
    rows = [[start] * 2 * BLOCK_TOKENS for start in (1, 2, 3)]
    cache = PrefixCache(3 * BLOCK_BYTES)

    cache.write(rows, [0, 0, 0], layers(rows, 2 * BLOCK_TOKENS), [0, 0, 0], [100] * 3)

    known = [cache.cached_tokens([*ids, 0]) for ids in rows]
    assert known == [0, BLOCK_TOKENS, 2 * BLOCK_TOKENS]
    [(keys, _), *_] = cache.read([[*rows[2], 0]], [2 * BLOCK_TOKENS])
    assert torch.equal(keys, layers([rows[2]], 2 * BLOCK_TOKENS)[0].keys)


def test_memory_for_less_is_used_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    allocated = block_pool._allocated

    def scarce(states: list[torch.Tensor], n_slots: int) -> list[torch.Tensor]:
        return allocated(states, n_slots) if n_slots <= 3 else []

    monkeypatch.setattr(block_pool, "_allocated", scarce)
    cache = written(list(range(6 * BLOCK_TOKENS)), limit_bytes=5 * BLOCK_BYTES)

    assert cache.n_bytes == 2 * BLOCK_BYTES


def test_what_was_not_asked_for_longest_goes_first() -> None:
    first, second, third = ([start] * BLOCK_TOKENS for start in (1, 2, 3))
    cache = written(first, limit_bytes=2 * BLOCK_BYTES)
    for ids in (second, first, third):
        cache.write([ids], [0], layers([ids], BLOCK_TOKENS), [0], [BLOCK_TOKENS])

    known = [cache.cached_tokens([*ids, 0]) for ids in (first, second, third)]
    assert known == [BLOCK_TOKENS, 0, BLOCK_TOKENS]


def test_beginnings_outlive_what_hangs_on_them() -> None:
    ids = list(range(4 * BLOCK_TOKENS))
    cache = written(ids, limit_bytes=2 * BLOCK_BYTES)

    assert cache.cached_tokens([*ids, 1]) == 2 * BLOCK_TOKENS


def test_block_dropped_between_reading_and_writing_is_left_out() -> None:
    ids = list(range(2 * BLOCK_TOKENS))
    cache = written(ids[:BLOCK_TOKENS])
    cache.clear()

    cache.write([ids], [BLOCK_TOKENS], layers([ids], 2 * BLOCK_TOKENS), [BLOCK_TOKENS], [99])

    assert cache.n_bytes == 0


@pytest.mark.parametrize("limit_bytes", [0, BLOCK_BYTES - 1])
def test_cache_without_room_keeps_nothing(limit_bytes: int) -> None:
    cache = written(list(range(3 * BLOCK_TOKENS)), limit_bytes)

    assert (cache.n_bytes, cache.cached_tokens(list(range(3 * BLOCK_TOKENS)))) == (0, 0)


def test_passing_blocks_take_half_of_the_memory_from_lasting_ones() -> None:
    history = [1] * 4 * BLOCK_TOKENS
    cache = PrefixCache(6 * BLOCK_BYTES)
    cache.write([history], [0], layers([history], len(history)), [0], [len(history)])

    for start in range(2, 8):
        ids = [start] * 2 * BLOCK_TOKENS
        cache.write([ids], [0], layers([ids], len(ids)), [0], [0])

    assert cache.cached_tokens([*history, 0]) == 2 * BLOCK_TOKENS
    assert cache.cached_tokens([*[7] * 2 * BLOCK_TOKENS, 0]) == 2 * BLOCK_TOKENS
    assert cache.n_bytes == 6 * BLOCK_BYTES


def test_what_passed_lasts_once_it_begins_a_history() -> None:
    ids = [1] * 2 * BLOCK_TOKENS
    cache = PrefixCache(4 * BLOCK_BYTES)
    cache.write([ids], [0], layers([ids], len(ids)), [0], [0])
    cache.write([ids], [2 * BLOCK_TOKENS], layers([ids], len(ids)), [0], [len(ids)])

    for start in range(2, 8):
        other = [start] * BLOCK_TOKENS
        cache.write([other], [0], layers([other], len(other)), [0], [0])

    assert cache.cached_tokens([*ids, 0]) == BLOCK_TOKENS


def test_the_pool_is_smaller_where_memory_runs_out_in_other_words() -> None:
    class Scarce(torch.Tensor):
        def new_empty(self, size: tuple[int, ...]) -> torch.Tensor:  # type: ignore[override]
            if size[0] > 4:
                raise torch.OutOfMemoryError("no room for it")
            return torch.empty(size)

    [layer] = layers([[1] * BLOCK_TOKENS], BLOCK_TOKENS)[:1]
    scarce = Layer(layer.keys.as_subclass(Scarce), layer.values.as_subclass(Scarce))
    pool = block_pool.BlockPool([scarce], 20 * BLOCK_BYTES // N_LAYERS)
    assert pool.n_slots == 2
