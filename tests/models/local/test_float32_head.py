from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from argo_ml.models.local import float32_head
from argo_ml.models.local.float32_head import Float32Head, use_float32_head

IDS = torch.arange(24).reshape(2, 12)


def model(dtype: torch.dtype, **settings: Any) -> Any:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        **settings,
    )
    models: Any = AutoModelForCausalLM
    return models.from_config(config, dtype=dtype).eval()


@pytest.mark.parametrize("is_tied", [True, False])
def test_logits_are_float32_products_of_what_the_model_computed(is_tied: bool) -> None:
    network = model(torch.bfloat16, tie_word_embeddings=is_tied)
    with torch.inference_mode():
        hidden = network.model(IDS).last_hidden_state
        expected = hidden.float() @ network.lm_head.weight.float().t()

        assert use_float32_head(network)
        logits = network(IDS).logits

    assert logits.dtype == torch.float32
    assert torch.allclose(logits, expected, atol=1e-5)
    assert network.dtype == torch.bfloat16


def test_no_two_tokens_have_equal_logits_any_more() -> None:
    network = model(torch.bfloat16)
    with torch.inference_mode():
        before = network(IDS).logits[0, -1].unique().numel()
        use_float32_head(network)
        after = network(IDS).logits[0, -1].unique().numel()

    assert before < 512
    assert after == 512


def test_a_float32_model_stays_as_it_is() -> None:
    network = model(torch.float32)
    assert not use_float32_head(network)
    assert type(network.lm_head) is torch.nn.Linear


def test_weights_that_cannot_be_multiplied_into_float32_are_taken_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(float32_head, "CHUNK", 5)
    rows = torch.randn(3, 8).bfloat16()
    layer = torch.nn.Linear(8, 12, dtype=torch.bfloat16)
    with torch.inference_mode():
        head = Float32Head(layer)
        head.layer, head._has_copy = layer, False

        expected = rows.float() @ layer.weight.float().t() + layer.bias.float()
        assert torch.allclose(head(rows), expected, atol=1e-6)
