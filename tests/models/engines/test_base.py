"""Which GPUs a started server sees, among those that the run sees itself."""

from __future__ import annotations

import pytest

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ModelError
from argo_ml.models.engines import base
from argo_ml.models.engines.base import gpu_environment

VISIBLE = "CUDA_VISIBLE_DEVICES"
HIP_VISIBLE = "HIP_VISIBLE_DEVICES"


def spec(**values: object) -> ExperimentSpec:
    return ExperimentSpec.model_validate({"model": "org/name", "engine": "vllm", **values})


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "count_visible_gpus", lambda: 2)
    for name in (VISIBLE, HIP_VISIBLE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("visible", "gpus", "shown"),
    [
        ("", (0, 1), "0,1"),
        ("4,5", (0, 1), "4,5"),
        ("4, 5", (1,), "5"),
        ("GPU-a,GPU-b", (1, 0), "GPU-b,GPU-a"),
        ("MIG-x,MIG-y", (0,), "MIG-x"),
    ],
)
def test_chosen_gpus_are_those_of_the_run(
    visible: str, gpus: tuple[int, ...], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible:
        monkeypatch.setenv(VISIBLE, visible)
    assert gpu_environment(spec(gpus=gpus)) == {VISIBLE: shown}


def test_without_a_choice_a_server_sees_what_the_run_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "4,5")
    assert gpu_environment(spec()) == gpu_environment(spec(device="cuda")) == {}


def test_on_the_cpu_a_server_sees_no_gpu() -> None:
    assert gpu_environment(spec(device="cpu")) == {VISIBLE: "", HIP_VISIBLE: "-1"}


def test_what_amds_runtime_goes_by_is_chosen_among_its_own_and_said_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(HIP_VISIBLE, "2,3")
    assert gpu_environment(spec(gpus=(1,))) == {VISIBLE: "3", HIP_VISIBLE: "3"}


def test_gpus_that_the_run_does_not_see_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"gpus=0,2: GPU 2 is not there; visible: 0,1"):
        gpu_environment(spec(gpus=(0, 2)))
    monkeypatch.setattr(base, "count_visible_gpus", lambda: 0)
    with pytest.raises(ModelError, match=r"device=cuda: no CUDA GPU is visible here"):
        gpu_environment(spec(device="cuda"))
