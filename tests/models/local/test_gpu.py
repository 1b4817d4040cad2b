"""The real thing on a real GPU: `pytest -m gpu`, on machines that have one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from argo_ml.config import CacheFields, ExperimentSpec
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.deferred import load_now
from argo_ml.models.local.loading import Machine
from argo_ml.models.local.recovery import RecoveringModel
from argo_ml.testing.models import QUESTIONS, LanguageModelSuite, generation, scoring

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def load(
    device: str, cache: Path, model: str | Path = "smollm2-135m", **fields: object
) -> LanguageModel:
    values = {"model": str(model), "cache_dir": cache, "device": device, **fields}
    return load_model(ExperimentSpec.model_validate(values))


class TestOnAGpu(LanguageModelSuite):
    """In float32, where a request has the same answer in any batch."""

    @pytest.fixture
    def model(self, embedded_model: Path) -> LanguageModel:
        return load("cuda", CacheFields().cache_path, precision="float32")


def test_in_the_gpus_own_precision_a_batch_changes_scores_by_little(embedded_model: Path) -> None:
    model = load("cuda", CacheFields().cache_path)
    requests = [scoring(question) for question in QUESTIONS]
    alone = [model.score([request])[0] for request in requests]
    for scores, expected in zip(model.score(requests), alone, strict=True):
        assert scores.lengths == expected.lengths
        for n_tokens, value, other in zip(
            scores.lengths, scores.log_likelihoods, expected.log_likelihoods, strict=True
        ):
            assert value == pytest.approx(other, abs=0.3 * n_tokens)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A fiftieth of the GPU for this process."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.02)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_precision_is_the_best_that_the_gpu_has(embedded_model: Path) -> None:
    model = load("cuda", CacheFields().cache_path)
    expected = "bfloat16" if torch.cuda.is_bf16_supported(False) else "float16"
    assert f" {expected} cuda " in model.identity


def test_in_float32_the_answers_are_those_of_the_cpu(tiny_folder: Path, tmp_path: Path) -> None:
    requests = [generation(question) for question in QUESTIONS]
    here, there = (
        [
            completion.text
            for completion in load(device, tmp_path, tiny_folder, precision="float32").generate(
                requests
            )
        ]
        for device in ("cpu", "cuda")
    )
    assert here == there


def test_the_machine_is_what_the_driver_says() -> None:
    machine = Machine.detect("cuda", (0,))
    [gpu] = machine.gpus
    assert gpu.free_bytes > 0
    assert gpu.name == torch.cuda.get_device_name(0)
    assert not machine.may_choose


def test_real_memory_that_runs_out_halves_the_batch(
    embedded_model: Path, little_memory: None
) -> None:
    model = load_now(load("cuda", CacheFields().cache_path, batch_tokens=10**7))
    assert isinstance(model, RecoveringModel)
    text = "One of many words that fill the memory of a small part of a GPU. " * 60
    requests = [Generation(Prompt("", f"{n} {text}"), 4, stop=()) for n in range(400)]
    assert len(model.generate(requests)) == 400
    assert model.events
