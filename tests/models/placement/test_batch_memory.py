from __future__ import annotations

import pytest
from transformers import AutoConfig, GPT2Config, LlamaConfig

from argo_ml.models.local.engine_check import PROVEN
from argo_ml.models.placement.batch_memory import (
    FEWEST_TOKENS,
    MOST_GPU_TOKENS,
    MOST_TOKENS,
    activation_bytes,
    bytes_per_layer,
    fitting_cpu_tokens,
    fitting_tokens,
    within_bounds,
)

SMOLLM = LlamaConfig(
    num_hidden_layers=30,
    hidden_size=576,
    num_attention_heads=9,
    num_key_value_heads=3,
    intermediate_size=1536,
)
GIB = 2**30


def test_a_token_takes_its_keys_and_values_twice_and_one_layer_of_activations() -> None:
    assert bytes_per_layer(SMOLLM, 4) == 4 * 2 * (2 * 3 * 64)
    assert activation_bytes(SMOLLM, 4) == 4 * (4 * 576 + 3 * 1536)
    assert bytes_per_layer(SMOLLM, 2) == bytes_per_layer(SMOLLM, 4) / 2


def test_a_model_without_grouped_queries_keeps_all_heads() -> None:
    config = GPT2Config(n_layer=2, n_embd=64, n_head=4)
    assert bytes_per_layer(config, 4) == 4 * 2 * (2 * 4 * 16)
    assert activation_bytes(config, 4) == 4 * (4 * 64 + 3 * 4 * 64)


def test_where_layers_differ_the_largest_counts() -> None:
    gemma4 = AutoConfig.for_model("gemma4_text", head_dim=32, global_head_dim=128)
    heads = {layer.num_key_value_heads * layer.head_dim for layer in gemma4.per_layer_config}
    assert len(heads) == 2
    assert bytes_per_layer(gemma4, 2) == 2 * 2 * 2 * max(heads)

    gemma3n = AutoConfig.for_model("gemma3n_text", hidden_size=64, intermediate_size=[96] * 35)
    assert activation_bytes(gemma3n, 2) == 2 * (4 * 64 + 3 * 96)


def test_a_state_of_one_size_grows_by_no_token() -> None:
    assert bytes_per_layer(AutoConfig.for_model("mamba"), 2) == 0


@pytest.mark.parametrize("architecture", sorted({*PROVEN, "jamba", "mamba", "rwkv"}))
def test_every_architecture_that_runs_has_a_largest_batch(architecture: str) -> None:
    assert fitting_tokens(AutoConfig.for_model(architecture), 2, GIB, 2) > 0


@pytest.mark.parametrize(
    ("tokens", "on_gpu", "limit"),
    [
        (-5, True, FEWEST_TOKENS),
        (700, False, 700),
        (10**9, False, MOST_TOKENS),
        (10**9, True, MOST_GPU_TOKENS),
    ],
)
def test_the_limit_has_ends(tokens: int, on_gpu: bool, limit: int) -> None:
    assert within_bounds(tokens, on_gpu) == limit


def test_half_of_the_free_memory_is_used() -> None:
    per_token = 30 * bytes_per_layer(SMOLLM, 4) + activation_bytes(SMOLLM, 4)
    assert fitting_tokens(SMOLLM, 4, 2 * GIB, 30) == GIB // per_token


def test_logits_are_beside_a_batch_on_the_cpu() -> None:
    assert fitting_cpu_tokens(10**5, GIB + 2 * 2**28) == GIB // 2 // 10**5
    assert fitting_cpu_tokens(10**5, -GIB) == FEWEST_TOKENS


def test_a_device_with_half_of_the_layers_holds_more() -> None:
    assert fitting_tokens(SMOLLM, 4, GIB, 15) > 1.5 * fitting_tokens(SMOLLM, 4, GIB, 30)


def test_latent_attention_keeps_latents_and_expands_a_layers() -> None:
    config = AutoConfig.for_model("deepseek_v3")
    assert bytes_per_layer(config, 2) == 2 * 2 * (512 + 64)
    expanded = 128 * (2 * 128 + 64 + 128)
    assert activation_bytes(config, 2) == 2 * (4 * 7168 + 3 * 18432 + expanded)


def test_attention_that_holds_its_scores_has_them_for_each_head() -> None:
    config = AutoConfig.for_model("gpt_oss")
    others = 4 * config.hidden_size + 3 * config.intermediate_size
    assert activation_bytes(config, 2) == 2 * (others + 64 * 1024 * 4)
