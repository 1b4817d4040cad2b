from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM

from benchmarks import rounding
from tests.builders.tiny_architectures import N_IDS, tiny_config


def test_float32_logits_never_tie_and_scores_move_less_than_with_bfloat16_ones() -> None:
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(tiny_config("llama"), dtype=torch.bfloat16).eval()
    numbers = torch.Generator().manual_seed(1)
    lengths = [[30, 7, 19, 40], [25, 3, 33, 12]]
    batches = [
        [torch.randint(3, N_IDS, (n,), generator=numbers).tolist() for n in row] for row in lengths
    ]

    own, float32 = rounding.rounding(network, batches)

    assert own["positions"] == float32["positions"] == 169
    assert own["tied"] > 0
    assert float32["tied"] == 0
    assert float32["largest difference per token"] < 0.2
