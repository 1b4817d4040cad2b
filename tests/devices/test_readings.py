"""Readings of devices: what the driver says, how it is recorded, and what it comes to."""

from __future__ import annotations

import logging
import threading
import time
import tracemalloc
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from argo_ml.devices import (
    DeviceReading,
    DeviceUsage,
    DriverError,
    Gpu,
    Holder,
    NvmlDriver,
    ProcessReading,
    Reading,
    Readings,
    Recorder,
    ResourceUsage,
    concerns,
    driver_indices,
    open_driver,
)

GPUS = [
    Gpu(0, "GPU-6a000000-1111-2222-3333-444444444444", "NVIDIA GeForce RTX 3060"),
    Gpu(1, "GPU-6b000000-1111-2222-3333-444444444444", "NVIDIA GeForce RTX 3060"),
    Gpu(2, "GPU-7c000000-1111-2222-3333-444444444444", "NVIDIA GeForce RTX 3060"),
]


def nvml(**answers: Any) -> SimpleNamespace:
    """`pynvml` with one GPU and recorded answers; an exception among them is raised."""
    recorded = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": "handle",
        "nvmlDeviceGetUUID": GPUS[0].uuid,
        "nvmlDeviceGetName": GPUS[0].name,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=12 * 10**9, free=2 * 10**9, used=10**10),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=87, memory=40),
        "nvmlDeviceGetTemperature": 71,
        "nvmlDeviceGetPowerUsage": 143_500,
        "nvmlDeviceGetComputeRunningProcesses": [],
        "nvmlDeviceGetGraphicsRunningProcesses": [],
        **answers,
    }
    errors = {name: getattr(pynvml, name) for name in dir(pynvml) if name.startswith("NVMLError")}
    functions = {name: lambda *_, answer=answer: _say(answer) for name, answer in recorded.items()}
    return SimpleNamespace(**errors, **functions, NVML_TEMPERATURE_GPU=0)


def _say(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


def process_using(pid: int, n_bytes: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=n_bytes)


def at(at_s: float, *devices: DeviceReading, cpu_s: float = 0, memory_mb: float = 0) -> Reading:
    return Reading(at_s, ProcessReading(cpu_s, memory_mb), devices)


def summarize(readings: Sequence[Reading], n_cores: int, **more: Any) -> ResourceUsage:
    added = Readings()
    for reading in readings:
        added.add(reading)
    return added.usage(n_cores, **more)


def test_driver_lists_gpus_with_their_memory() -> None:
    with open_driver(nvml()) as driver:
        assert driver is not None
        assert driver.gpus() == (
            Gpu(0, GPUS[0].uuid, "NVIDIA GeForce RTX 3060", 12 * 10**9, 2 * 10**9),
        )


def test_reading_is_in_megabytes_percent_degrees_and_watts() -> None:
    reading = NvmlDriver(nvml()).read(0)

    assert reading == DeviceReading(0, 10_000, 87, 71, 143.5)


@pytest.mark.parametrize(
    "error", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_NO_PERMISSION]
)
def test_what_a_device_does_not_tell_is_left_out(error: int) -> None:
    refusal = pynvml.NVMLError(error)
    driver = NvmlDriver(nvml(nvmlDeviceGetPowerUsage=refusal, nvmlDeviceGetTemperature=refusal))

    assert driver.read(0) == DeviceReading(0, 10_000, 87, temperature_c=None, power_w=None)


def test_lost_gpu_is_an_error_of_the_driver() -> None:
    lost = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    with pytest.raises(DriverError):
        NvmlDriver(nvml(nvmlDeviceGetMemoryInfo=lost)).read(0)


def test_process_that_computes_and_draws_is_listed_once() -> None:
    driver = NvmlDriver(
        nvml(
            nvmlDeviceGetComputeRunningProcesses=[process_using(7, 8 * 10**9)],
            nvmlDeviceGetGraphicsRunningProcesses=[
                process_using(7, 8 * 10**9),
                process_using(9, None),
            ],
        )
    )

    assert driver.holders(0) == (Holder(7, 8000), Holder(9, None))


def test_without_a_driver_there_is_none() -> None:
    missing = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    with open_driver(nvml(nvmlInit=missing)) as driver:
        assert driver is None


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, {0: 0, 1: 1, 2: 2}),
        ("2,0", {0: 2, 1: 0}),
        (" 1 , 2 ", {0: 1, 1: 2}),
        ("GPU-7c,GPU-6a", {0: 2, 1: 0}),
        ("0,7,1", {0: 0}),
        ("GPU-6,1", {}),
        ("-1", {}),
        ("", {}),
        ("MIG-7c000000,1", {1: 1}),
    ],
)
def test_visible_gpus_are_found_among_the_drivers(
    visible: str | None, expected: dict[int, int]
) -> None:
    assert driver_indices(GPUS, visible) == expected


def test_uuids_that_pytorch_says_decide() -> None:
    uuids = ["7c000000-1111-2222-3333-444444444444", "unknown", GPUS[0].uuid.upper()[4:]]

    assert driver_indices(GPUS, "0,1,2", uuids) == {0: 2, 2: 0}


def test_peaks_and_means_of_recorded_readings() -> None:
    usage = summarize(
        [
            at(0, DeviceReading(1, 500, 0, 40, 20)),
            at(1, DeviceReading(1, 9000, 90, 70, 160)),
            at(2, DeviceReading(1, 8000, 100, 75, 150)),
        ],
        n_cores=2,
        torch_peaks_mb={1: 7500},
    )

    assert usage.metrics == {
        "gpu_1_memory_peak_mb": 9000,
        "gpu_1_utilization_mean": 95,
        "gpu_1_temperature_max": 75,
        "gpu_1_power_mean_w": 110,
        "gpu_1_torch_memory_peak_mb": 7500,
    }


def test_what_was_never_told_is_no_metric() -> None:
    usage = summarize([at(0, DeviceReading(0, memory_mb=500))], n_cores=2)

    assert usage.metrics == {"gpu_0_memory_peak_mb": 500}


def test_gpu_that_pytorch_left_empty_is_not_in_use() -> None:
    both = at(0, DeviceReading(0, 9000, 90), DeviceReading(1, 300, 0))

    usage = summarize([both], n_cores=2, torch_peaks_mb={0: 7500, 1: 0})

    assert [device.index for device in usage.devices] == [0]


def test_gpus_of_other_processes_count_where_this_one_uses_none() -> None:
    both = at(0, DeviceReading(0, 9000, 90), DeviceReading(1, 300, 0))

    assert [device.index for device in summarize([both], n_cores=2).devices] == [0, 1]


def test_gpus_beside_the_embedder_count_where_the_model_is_served() -> None:
    both = at(0, DeviceReading(0, 900, 1), DeviceReading(1, 9000, 90))

    usage = summarize([both], n_cores=2, torch_peaks_mb={0: 500}, is_served=True)

    assert usage.metrics == {
        "gpu_0_memory_peak_mb": 900,
        "gpu_0_utilization_mean": 1,
        "gpu_0_torch_memory_peak_mb": 500,
        "gpu_1_memory_peak_mb": 9000,
        "gpu_1_utilization_mean": 90,
    }


def test_readings_before_the_driver_disappeared_count() -> None:
    usage = summarize([at(0, DeviceReading(0, 100, 50)), at(1), at(2)], n_cores=2)

    assert usage.metrics["gpu_0_memory_peak_mb"] == 100


def test_process_takes_the_place_of_gpus_in_percent_of_all_cores() -> None:
    usage = summarize(
        [at(10, cpu_s=3, memory_mb=700), at(11, memory_mb=900), at(14, cpu_s=9, memory_mb=800)],
        n_cores=2,
    )

    assert usage.metrics == {"cpu_utilization_mean": 75, "memory_peak_mb": 900}


def test_one_reading_has_memory_and_no_mean() -> None:
    assert summarize([at(0, memory_mb=700)], n_cores=2).metrics == {"memory_peak_mb": 700}


def test_nothing_read_is_nothing_known() -> None:
    assert summarize([], n_cores=2).metrics == {}


def test_readings_of_weeks_take_no_more_memory_than_those_of_minutes() -> None:
    readings = Readings()
    tracemalloc.start()
    for second in range(1_000):
        readings.add(at(second, DeviceReading(0, 500, 90, 70, 150)))
    before, _ = tracemalloc.get_traced_memory()
    for second in range(1_000, 11_000):
        readings.add(at(second, DeviceReading(0, 500, 90, 70, 150)))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000
    assert readings.usage(n_cores=1).metrics["gpu_0_power_mean_w"] == 150


SECONDS = {"decompose": 60.0, "retrieve": 25.5, "log": 0.1, "idle": 120.0}


def test_gpu_that_waited_is_explained_by_the_stages() -> None:
    usage = ResourceUsage(devices=(DeviceUsage(1, 200, utilization_mean=43.2, temperature_max=70),))

    assert list(concerns(usage, SECONDS)) == [
        "GPU 1: mean utilisation 43 % is under 80 %; seconds by stage: "
        "idle 120.0, decompose 60.0, retrieve 25.5"
    ]


@pytest.mark.parametrize(("utilization", "n_lines"), [(39.0, 2), (41.0, 0)])
def test_gpus_that_share_a_model_are_each_busy_half_of_the_time(
    utilization: float, n_lines: int
) -> None:
    devices = tuple(
        DeviceUsage(index, 200, utilization_mean=utilization, torch_memory_peak_mb=8000)
        for index in (0, 1)
    )

    lines = list(concerns(ResourceUsage(devices=devices), SECONDS))

    assert len(lines) == n_lines
    assert all("is under 40 %" in line for line in lines)


def test_gpu_does_not_wait_where_the_model_has_not_computed_here() -> None:
    usage = ResourceUsage(devices=(DeviceUsage(0, 200, utilization_mean=1, temperature_max=84),))

    [line] = concerns(usage, SECONDS, has_computed=False)

    assert line.startswith("GPU 0: it reached 84 °C")


def test_gpu_over_83_degrees_is_told() -> None:
    usage = ResourceUsage(devices=(DeviceUsage(0, 200, utilization_mean=95, temperature_max=84),))

    [line] = concerns(usage, SECONDS)

    assert line.startswith("GPU 0: it reached 84 °C, over 83 °C")


@pytest.mark.parametrize(
    "device",
    [
        DeviceUsage(0, 200, utilization_mean=80, temperature_max=83),
        DeviceUsage(0, 200, memory_peak_mb=9000),
        DeviceUsage(0, 9, utilization_mean=10),
    ],
)
def test_no_concern_at_the_limits_without_readings_or_with_few(device: DeviceUsage) -> None:
    assert list(concerns(ResourceUsage(devices=(device,)), SECONDS)) == []


class FailingDriver:
    """Answers ``n_answers`` times, then never again."""

    def __init__(self, n_answers: int) -> None:
        self.n_left = n_answers

    def gpus(self) -> tuple[Gpu, ...]:
        return tuple(GPUS)

    def read(self, index: int) -> DeviceReading:
        if not self.n_left:
            raise DriverError("GPU is lost")
        self.n_left -= 1
        return DeviceReading(index, memory_mb=500)

    def holders(self, index: int) -> tuple[Holder, ...]:
        return ()


def test_short_block_has_a_first_and_a_last_reading() -> None:
    with Recorder(FailingDriver(10), [1], interval_s=60) as recorder:
        pass

    assert recorder.readings.n == 2
    assert recorder.readings.usage(n_cores=1).devices == (DeviceUsage(1, 2, memory_peak_mb=500),)


def test_a_recorder_that_is_interrupted_while_it_begins_takes_no_more_readings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    recorder = Recorder(None, interval_s=0.001)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threading.Thread, "start", interrupted)
        recorder.__enter__()
    recorder._thread.join(10)
    assert not recorder._thread.is_alive()


def test_driver_that_disappears_ends_its_readings_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING), Recorder(FailingDriver(1), [0], 0.001) as recorder:
        wait_for_readings(recorder, 5)

    [device] = recorder.readings.usage(n_cores=1).devices
    assert device.n_readings == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the driver stopped answering, GPUs are read no more (GPU is lost)"
    ]


def test_process_is_read_as_it_is() -> None:
    with Recorder(None, interval_s=0.001) as recorder:
        wait_for_readings(recorder, 3)

    usage = recorder.readings.usage(n_cores=1)
    resident_mb = psutil.Process().memory_info().rss / 1e6
    assert usage.metrics["memory_peak_mb"] == pytest.approx(resident_mb, rel=0.5)
    assert usage.metrics["cpu_utilization_mean"] >= 0


def wait_for_readings(recorder: Recorder, n_readings: int) -> None:
    for _ in range(3000):
        if recorder.readings.n >= n_readings:
            return
        time.sleep(0.01)
    raise AssertionError("the recorder takes no readings")
