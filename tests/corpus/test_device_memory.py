"""Less at once, or the CPU, where a device has no memory left."""

import logging

import pytest
import torch

from argo_ml.corpus.device_memory import FittingBatches, load_where_it_fits
from argo_ml.errors import ModelError


def out_of_memory() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def test_a_model_goes_to_the_cpu_where_its_device_is_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load(device: str) -> str:
        if device != "cpu":
            raise out_of_memory()
        return f"on {device}"

    with caplog.at_level(logging.WARNING):
        assert load_where_it_fits(load, "cuda:1", "embedding_model=x") == "on cpu"
    assert caplog.messages == ["embedding_model=x: no memory left on cuda:1; it goes to the CPU"]


def test_a_model_that_fits_nowhere_is_an_error_that_names_memory() -> None:
    def load(device: str) -> str:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: 20 bytes")

    with pytest.raises(ModelError, match=r"^embedding_model=x: no memory left for it"):
        load_where_it_fits(load, "cpu", "embedding_model=x")


def test_other_errors_of_loading_stay_what_they_are() -> None:
    def load(device: str) -> str:
        raise RuntimeError("size mismatch for embeddings")

    with pytest.raises(RuntimeError, match="size mismatch"):
        load_where_it_fits(load, "cuda:0", "embedding_model=x")


def test_batches_are_halved_for_good_until_they_fit() -> None:
    tried: list[int] = []

    def compute(size: int) -> str:
        tried.append(size)
        if size > 8:
            raise out_of_memory()
        return "vectors"

    batches = FittingBatches(32, "embedding_model=x")
    assert [batches.run(compute), batches.run(compute)] == ["vectors", "vectors"]
    assert tried == [32, 16, 8, 8]


def test_a_text_that_does_not_fit_alone_is_an_error_that_names_memory() -> None:
    def compute(size: int) -> str:
        raise out_of_memory()

    with pytest.raises(ModelError, match="embedding_model=x: no memory left for a single text"):
        FittingBatches(2, "embedding_model=x").run(compute)
