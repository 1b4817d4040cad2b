"""What readings come to: peaks, means, and the metrics that they are logged as."""

from __future__ import annotations

import threading
from collections.abc import Mapping
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


class Readings:
    """What readings taken at even intervals come to; they are added up, and none is kept.

    One thread may add while another asks.
    """

    def __init__(self) -> None:
        self.n = 0
        self._first: Reading | None = None
        self._last: Reading | None = None
        self._memory = _Values()
        self._devices: dict[int, _DeviceReadings] = {}
        self._lock = threading.Lock()

    def add(self, reading: Reading) -> None:
        with self._lock:
            self.n += 1
            self._first, self._last = self._first or reading, reading
            self._memory.add(reading.process.memory_mb)
            for device in reading.devices:
                self._devices.setdefault(device.index, _DeviceReadings()).add(device)

    def usage(
        self,
        n_cores: int,
        torch_peaks_mb: Mapping[int, float] | None = None,
        is_served: bool = False,
    ) -> ResourceUsage:
        """Peaks and means until now.

        ``torch_peaks_mb`` is PyTorch's own peak by the driver's index. Where PyTorch holds memory
        on any GPU, the others are not in use and left out, but for a language model that
        ``is_served``: what is held here is the embedding model then.
        """
        peaks = {index: peak for index, peak in (torch_peaks_mb or {}).items() if peak > 0}
        with self._lock:
            others = self._devices.keys() if is_served or not peaks else ()
            usages = [
                self._devices.get(index, _DeviceReadings()).usage(index, peaks.get(index))
                for index in sorted({*peaks, *others})
            ]
            return ResourceUsage(
                self._process(n_cores), tuple(usage for usage in usages if usage.metrics)
            )

    def _process(self, n_cores: int) -> ProcessUsage:
        if self._first is None or self._last is None:
            return ProcessUsage()
        seconds = (self._last.at_s - self._first.at_s) * n_cores
        used = self._last.process.cpu_s - self._first.process.cpu_s
        return ProcessUsage(
            utilization_mean=100 * used / seconds if seconds > 0 else None,
            memory_peak_mb=self._memory.highest,
        )


class _DeviceReadings:
    """What the readings of one GPU come to."""

    def __init__(self) -> None:
        self._n = 0
        self._memory = _Values()
        self._utilization = _Values()
        self._temperature = _Values()
        self._power = _Values()

    def add(self, reading: DeviceReading) -> None:
        if self._n == 1:
            # A utilisation is of the time before its reading: the first one's is before the run.
            self._utilization = _Values()
        self._n += 1
        self._memory.add(reading.memory_mb)
        self._utilization.add(reading.utilization)
        self._temperature.add(reading.temperature_c)
        self._power.add(reading.power_w)

    def usage(self, index: int, torch_peak_mb: float | None) -> DeviceUsage:
        return DeviceUsage(
            index=index,
            n_readings=self._n,
            memory_peak_mb=self._memory.highest,
            utilization_mean=self._utilization.mean,
            temperature_max=self._temperature.highest,
            power_mean_w=self._power.mean,
            torch_memory_peak_mb=torch_peak_mb,
        )


class _Values:
    """What the values of one measure come to; None is one that a device does not tell."""

    def __init__(self) -> None:
        self._n = 0
        self._sum = 0.0
        self.highest: float | None = None

    def add(self, value: float | None) -> None:
        if value is not None:
            self._n += 1
            self._sum += value
            self.highest = value if self.highest is None else max(self.highest, value)

    @property
    def mean(self) -> float | None:
        return self._sum / self._n if self._n else None


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
