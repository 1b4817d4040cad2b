from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.local.stored_quantization import stored_quantization
from tests.builders.tiny_architectures import tiny_config

PACKED_INT4 = {
    "quant_method": "compressed-tensors",
    "config_groups": {
        "group_0": {
            "weights": {"num_bits": 4, "type": "int"},
            "input_activations": {"num_bits": 16},
        }
    },
}


def stored(values: dict[str, Any] | None, on_gpu: bool = True) -> str:
    return stored_quantization(SimpleNamespace(quantization_config=values), on_gpu)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, "none"),
        ({"quant_method": "gptq", "bits": 4}, "4bit"),
        ({"quant_method": "awq", "bits": 4}, "4bit"),
        ({"quant_method": "fp8"}, "8bit"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "4bit"),
        (PACKED_INT4, "4bit"),
        ({"quant_method": "mxfp4"}, "experts-4bit"),
    ],
)
def test_bits_that_weights_are_stored_in(values: dict[str, Any] | None, expected: str) -> None:
    assert stored(values) == expected


def test_mxfp4_is_expanded_without_a_gpu() -> None:
    assert stored({"quant_method": "mxfp4"}, on_gpu=False) == "none"


def test_experts_in_four_bits_take_a_quarter() -> None:
    config = tiny_config("gpt_oss")
    whole = Skeleton(config, "bfloat16")
    packed = Skeleton(config, "bfloat16", "experts-4bit")

    # Two layers of four experts: 32 x 96 gate and up weights, and 48 x 32 down.
    n_weights = 2 * 4 * (32 * 96 + 48 * 32)
    assert whole.weight_bytes - packed.weight_bytes == n_weights * 3 // 2
