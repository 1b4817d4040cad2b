"""Readings of GPUs and of this process: taken in the background, added up to metrics."""

from argo_ml.tracking.readings.base import (
    DeviceReading,
    Driver,
    DriverError,
    Gpu,
    Holder,
    ProcessReading,
    Reading,
)
from argo_ml.tracking.readings.concerns import concerns
from argo_ml.tracking.readings.nvml import NvmlDriver, open_driver
from argo_ml.tracking.readings.recorder import Recorder
from argo_ml.tracking.readings.usage import DeviceUsage, ProcessUsage, Usage, summarize
from argo_ml.tracking.readings.visible import driver_indices

__all__ = [
    "DeviceReading",
    "DeviceUsage",
    "Driver",
    "DriverError",
    "Gpu",
    "Holder",
    "NvmlDriver",
    "ProcessReading",
    "ProcessUsage",
    "Reading",
    "Recorder",
    "Usage",
    "concerns",
    "driver_indices",
    "open_driver",
    "summarize",
]
