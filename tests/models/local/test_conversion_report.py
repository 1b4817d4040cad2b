"""What fails while weights are converted: experts of a checkpoint are merged into one tensor."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import core_model_loading

from argo_ml.errors import ModelError
from argo_ml.models.local.loading import ModelFiles, load_config, load_weights
from argo_ml.models.placement.plan import PlacementPlan
from tests.builders.tiny_architectures import tiny_model

pytestmark = pytest.mark.slow

CPU = PlacementPlan((), {"": "cpu"}, 0, 4096, True)


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    folder: Path = tmp_path_factory.mktemp("experts")
    tiny_model("qwen2_moe").save_pretrained(folder)
    return ModelFiles("experts", folder)


def load(files: ModelFiles) -> Any:
    return load_weights(files, load_config(files), "float32", "none", CPU)


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(core_model_loading.MergeModulelist, "convert", convert)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA driver error: out of memory"),
    ],
)
def test_memory_that_runs_out_is_no_fault_of_the_files(
    experts: ModelFiles, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(error, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        load(experts)


def test_what_else_goes_wrong_is_named(
    experts: ModelFiles, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fail_with(ValueError("experts of odd shapes"), monkeypatch)
    with pytest.raises(ModelError, match=r"be loaded \(ValueError: experts of odd shapes\);"):
        load(experts)
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_loading_leaves_the_librarys_logging_as_it_was(experts: ModelFiles) -> None:
    library = logging.getLogger("transformers.modeling_utils")
    before = (library.level, list(library.filters))
    load(experts)
    assert (library.level, list(library.filters)) == before
