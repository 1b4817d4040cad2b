from __future__ import annotations

import pytest
from transformers import GPT2Config, LlamaConfig

from argo_ml.models.batch_memory import FEWEST_TOKENS, MOST_TOKENS, batch_limit, bytes_per_token

SMOLLM = LlamaConfig(
    num_hidden_layers=30,
    hidden_size=576,
    num_attention_heads=9,
    num_key_value_heads=3,
    intermediate_size=1536,
)
GIB = 2**30


def test_a_token_takes_its_keys_and_values_twice_and_one_layer_of_activations() -> None:
    keys_and_values = 2 * 30 * 3 * 64
    activations = 4 * 576 + 3 * 1536
    assert bytes_per_token(SMOLLM, 4) == 4 * (2 * keys_and_values + activations)
    assert bytes_per_token(SMOLLM, 2) == bytes_per_token(SMOLLM, 4) / 2


def test_a_model_without_grouped_queries_keeps_all_heads() -> None:
    config = GPT2Config(n_layer=2, n_embd=64, n_head=4)
    assert bytes_per_token(config, 4) == 4 * (2 * (2 * 2 * 4 * 16) + 4 * 64 + 3 * 4 * 64)


@pytest.mark.parametrize(
    ("free_bytes", "tokens"),
    [(0, FEWEST_TOKENS), (-GIB, FEWEST_TOKENS), (1000 * GIB, MOST_TOKENS)],
)
def test_the_limit_has_ends(free_bytes: int, tokens: int) -> None:
    assert batch_limit(SMOLLM, 4, free_bytes) == tokens


def test_half_of_the_free_memory_is_used() -> None:
    limit = batch_limit(SMOLLM, 4, 2 * GIB)
    assert limit == GIB // bytes_per_token(SMOLLM, 4)
    assert FEWEST_TOKENS < limit < MOST_TOKENS
