from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.models.local import stored_quantization
from argo_ml.models.local.loading import ModelFiles, make_demand
from argo_ml.models.local.skeleton import Skeleton
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


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What computes with MXFP4 is there."""
    monkeypatch.setattr(stored_quantization, "computes_mxfp4", lambda: True)


def stored(values: dict[str, Any] | None, on_gpu: bool = True) -> str:
    config = SimpleNamespace(quantization_config=values)
    return stored_quantization.stored_quantization(config, on_gpu)


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


@pytest.mark.parametrize(
    ("has_kernels", "triton", "expected"),
    [(True, "3.4.0", "experts-4bit"), (False, "3.4.0", "none"), (True, "3.3.1", "none")],
)
def test_mxfp4_is_kept_where_transformers_computes_with_it(
    has_kernels: bool, triton: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(stored_quantization, "is_kernels_available", lambda: has_kernels)
    monkeypatch.setattr(stored_quantization, "is_triton_available", lambda least: triton >= least)
    assert stored({"quant_method": "mxfp4"}) == expected


def test_what_is_expanded_is_planned_so_with_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stored_quantization, "computes_mxfp4", lambda: False)
    config = tiny_config("gpt_oss")
    config.quantization_config = {"quant_method": "mxfp4"}
    with caplog.at_level(logging.WARNING, "argo_ml"):
        demands = [
            make_demand(ModelFiles("oss", Path()), config, "bfloat16", "none", 0, on_gpu=True)
            for _ in range(2)
        ]
    [notice] = [record.message for record in caplog.records if record.name.startswith("argo_ml")]
    assert "pip install kernels" in notice
    assert demands[0].skeleton.weight_bytes == Skeleton(config, "bfloat16").weight_bytes
    assert demands[0].coarser == ()


def test_experts_in_four_bits_take_a_quarter() -> None:
    config = tiny_config("gpt_oss")
    whole = Skeleton(config, "bfloat16")
    packed = Skeleton(config, "bfloat16", "experts-4bit")

    # Two layers of four experts: 32 x 96 gate and up weights, and 48 x 32 down.
    n_weights = 2 * 4 * (32 * 96 + 48 * 32)
    assert whole.weight_bytes - packed.weight_bytes == n_weights * 3 // 2
