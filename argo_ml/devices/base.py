"""What GPUs and this process say of themselves at one moment, and the driver that is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MB = 10**6
GB = 10**9


class DriverError(Exception):
    """The driver does not answer any more; a run goes on without it."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver lists it; ``index`` is the driver's, memory is None where it is unknown.

    ``uuid`` is spelt ``GPU-…`` as in CUDA_VISIBLE_DEVICES.
    """

    index: int
    uuid: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """A GPU at one moment; what it does not tell is None. Memory is that of all processes.

    Utilisation is the percentage of the moments before in which it computed.
    """

    index: int
    memory_mb: float | None = None
    utilization: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """What this process has used: seconds of all cores until now, and its resident memory."""

    cpu_s: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Reading:
    """This process and the GPUs in use at a moment ``at_s`` of a clock that only moves forward."""

    at_s: float
    process: ProcessReading
    devices: tuple[DeviceReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Holder:
    """A process with memory on a GPU; None where the driver does not say how much."""

    pid: int
    memory_mb: float | None


class Driver(Protocol):
    """What GPUs there are and what they are doing; every method raises `DriverError`."""

    def gpus(self) -> tuple[Gpu, ...]: ...

    def read(self, index: int) -> DeviceReading: ...

    def holders(self, index: int) -> tuple[Holder, ...]: ...
