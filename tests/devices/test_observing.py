from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

from argo_ml.config import ModelFields
from argo_ml.devices import DeviceReading, DriverError, Gpu, Holder
from argo_ml.devices.observing import gpus_in_use, observing_devices, readable
from argo_ml.engine.stages import StageTimes


@pytest.mark.parametrize(
    ("values", "n_visible", "expected"),
    [
        ({}, 3, (0, 1, 2)),
        ({"gpus": "2,0"}, 3, (2, 0)),
        ({"device": "cpu"}, 3, ()),
        ({}, 0, ()),
        ({"gpus": "0,1"}, 0, ()),
        ({"gpus": "0,5"}, 2, ()),
    ],
)
def test_gpus_in_use_are_those_of_the_spec_that_are_here(
    values: dict[str, Any], n_visible: int, expected: tuple[int, ...]
) -> None:
    assert gpus_in_use(ModelFields(**values), n_visible) == expected


def test_on_the_cpu_the_process_is_observed(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING),
        observing_devices(ModelFields(device="cpu"), StageTimes().seconds) as observed,
    ):
        sum(range(100_000))

    assert set(observed.usage().metrics) == {"cpu_utilization_mean", "memory_peak_mb"}
    assert observed.concerns(has_computed=True) == []
    assert caplog.records == []


class RecordedDriver:
    """Two GPUs, or a driver that does not answer."""

    def __init__(self, answers: bool = True) -> None:
        self._answers = answers

    def gpus(self) -> tuple[Gpu, ...]:
        if not self._answers:
            raise DriverError("driver is gone")
        return Gpu(0, "GPU-6a", "RTX 3060"), Gpu(1, "GPU-6b", "RTX 3060")

    def read(self, index: int) -> DeviceReading:
        return DeviceReading(index)

    def holders(self, index: int) -> tuple[Holder, ...]:
        return ()


def test_gpus_are_read_by_the_drivers_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-6b,0")

    assert readable(RecordedDriver(), (0, 1)) == {0: 1, 1: 0}
    assert readable(RecordedDriver(), (0,)) == {0: 1}


@pytest.mark.parametrize(
    ("driver", "reason"),
    [(None, "no NVIDIA driver answers"), (RecordedDriver(answers=False), "driver is gone")],
)
def test_gpus_that_cannot_be_read_are_logged(
    driver: RecordedDriver | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert readable(driver, (0,)) == {}
    [message] = caplog.messages
    assert reason in message


@pytest.mark.gpu
def test_on_a_gpu_the_device_and_pytorch_are_observed() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.zeros(1, device="cuda")
    with observing_devices(ModelFields(gpus="0"), StageTimes().seconds) as observed:
        held = torch.zeros(100_000_000, dtype=torch.uint8, device="cuda")

    [device] = observed.usage().devices
    assert device.memory_peak_mb is None or device.memory_peak_mb >= 100
    assert device.torch_memory_peak_mb is not None
    assert device.torch_memory_peak_mb >= held.nbytes / 1e6
