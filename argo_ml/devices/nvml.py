"""NVIDIA's driver, asked through NVML."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from argo_ml.devices.base import MB, DeviceReading, DriverError, Gpu, Holder


class NvmlDriver:
    """Reads GPUs through ``nvml``: the module `pynvml`, initialised, or what stands in for it."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._left_out = (
            nvml.NVMLError_NotSupported,
            nvml.NVMLError_NoPermission,
            nvml.NVMLError_FunctionNotFound,
        )

    def gpus(self) -> tuple[Gpu, ...]:
        n_gpus = self._query(self._nvml.nvmlDeviceGetCount) or 0
        return tuple(self._gpu(index) for index in range(n_gpus))

    def read(self, index: int) -> DeviceReading:
        nvml, handle = self._nvml, self._handle(index)
        memory = self._query(nvml.nvmlDeviceGetMemoryInfo, handle)
        rates = self._query(nvml.nvmlDeviceGetUtilizationRates, handle)
        power = self._query(nvml.nvmlDeviceGetPowerUsage, handle)
        return DeviceReading(
            index,
            memory_mb=None if memory is None else memory.used / MB,
            utilization=None if rates is None else rates.gpu,
            temperature_c=self._query(
                nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU
            ),
            power_w=None if power is None else power / 1000,
        )

    def holders(self, index: int) -> tuple[Holder, ...]:
        """Processes that compute or draw; one that does both counts once."""
        nvml, handle = self._nvml, self._handle(index)
        processes = [
            *(self._query(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()),
            *(self._query(nvml.nvmlDeviceGetGraphicsRunningProcesses, handle) or ()),
        ]
        memory = {process.pid: process.usedGpuMemory for process in processes}
        return tuple(
            Holder(pid, None if used is None else used / MB) for pid, used in memory.items()
        )

    def _gpu(self, index: int) -> Gpu:
        nvml, handle = self._nvml, self._handle(index)
        memory = self._query(nvml.nvmlDeviceGetMemoryInfo, handle)
        return Gpu(
            index,
            uuid=str(self._query(nvml.nvmlDeviceGetUUID, handle)),
            name=str(self._query(nvml.nvmlDeviceGetName, handle)),
            total_bytes=None if memory is None else int(memory.total),
            free_bytes=None if memory is None else int(memory.free),
        )

    def _handle(self, index: int) -> Any:
        return self._query(self._nvml.nvmlDeviceGetHandleByIndex, index)

    def _query(self, function: Callable[..., Any], *arguments: object) -> Any:
        """The driver's answer; None for what a device does not report, or not to this user."""
        try:
            return function(*arguments)
        except self._left_out:
            return None
        except self._nvml.NVMLError as error:
            raise DriverError(str(error)) from None


@contextlib.contextmanager
def open_driver(nvml: Any = None) -> Iterator[NvmlDriver | None]:
    """NVIDIA's driver; None where there is none. ``nvml`` stands in for `pynvml`."""
    if nvml is None:
        import pynvml  # type: ignore[import-untyped]

        nvml = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        yield NvmlDriver(nvml)
    finally:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
