"""What readings come to: peaks, means, and the metrics that they are logged as."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from argo_ml.devices.base import DeviceReading, Reading


@dataclass(frozen=True, slots=True)
class DeviceUsage:
    """What one GPU used over a time in MB, percent, °C and W; None for what it never reported."""

    index: int
    n_readings: int
    memory_peak_mb: float | None = None
    utilization_mean: float | None = None
    temperature_max: float | None = None
    power_mean_w: float | None = None
    torch_memory_peak_mb: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        values = {
            "memory_peak_mb": self.memory_peak_mb,
            "utilization_mean": self.utilization_mean,
            "temperature_max": self.temperature_max,
            "power_mean_w": self.power_mean_w,
            "torch_memory_peak_mb": self.torch_memory_peak_mb,
        }
        return {f"gpu_{self.index}_{name}": value for name, value in _known(values).items()}


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What this process used over a time; utilisation is in percent of all cores."""

    utilization_mean: float | None = None
    memory_peak_mb: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        return _known(
            {
                "cpu_utilization_mean": self.utilization_mean,
                "memory_peak_mb": self.memory_peak_mb,
            }
        )


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What an experiment used over a time; ``devices`` are the GPUs that reported anything."""

    process: ProcessUsage = ProcessUsage()
    devices: tuple[DeviceUsage, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the GPUs; without any, those of the process take their place."""
        if not self.devices:
            return self.process.metrics
        return {name: value for device in self.devices for name, value in device.metrics.items()}


def summarize(
    readings: Sequence[Reading],
    n_cores: int,
    torch_peaks_mb: Mapping[int, float] | None = None,
    is_served: bool = False,
) -> ResourceUsage:
    """Peaks and means over readings taken at even intervals.

    ``torch_peaks_mb`` is PyTorch's own peak by the driver's index. Where PyTorch holds memory on
    any GPU, the others are not in use and left out, but for a language model that ``is_served``:
    what is held here is the embedding model then.
    """
    peaks = {index: peak for index, peak in (torch_peaks_mb or {}).items() if peak > 0}
    by_device: dict[int, list[DeviceReading]] = {index: [] for index in peaks}
    for device in (device for reading in readings for device in reading.devices):
        if is_served or not peaks or device.index in peaks:
            by_device.setdefault(device.index, []).append(device)
    usages = (
        _device(index, of_device, peaks.get(index))
        for index, of_device in sorted(by_device.items())
    )
    return ResourceUsage(
        _process(readings, n_cores), tuple(usage for usage in usages if usage.metrics)
    )


def _device(
    index: int, readings: Sequence[DeviceReading], torch_peak_mb: float | None
) -> DeviceUsage:
    # A utilisation is of the time before its reading: the first one's is before the run.
    during = readings[1:] or readings
    return DeviceUsage(
        index=index,
        n_readings=len(readings),
        memory_peak_mb=_highest(reading.memory_mb for reading in readings),
        utilization_mean=_mean(reading.utilization for reading in during),
        temperature_max=_highest(reading.temperature_c for reading in readings),
        power_mean_w=_mean(reading.power_w for reading in readings),
        torch_memory_peak_mb=torch_peak_mb,
    )


def _process(readings: Sequence[Reading], n_cores: int) -> ProcessUsage:
    if not readings:
        return ProcessUsage()
    first, last = readings[0], readings[-1]
    seconds = (last.at_s - first.at_s) * n_cores
    used = last.process.cpu_s - first.process.cpu_s
    return ProcessUsage(
        utilization_mean=100 * used / seconds if seconds > 0 else None,
        memory_peak_mb=max(reading.process.memory_mb for reading in readings),
    )


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
