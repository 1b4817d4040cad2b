"""Readings of GPUs and of this process: taken in the background, added up to metrics."""

from argo_ml.devices.base import (
    DeviceReading,
    Driver,
    DriverError,
    Gpu,
    Holder,
    ProcessReading,
    Reading,
)
from argo_ml.devices.concerns import concerns
from argo_ml.devices.nvml import NvmlDriver, open_driver
from argo_ml.devices.recorder import Recorder
from argo_ml.devices.usage import DeviceUsage, ProcessUsage, Readings, ResourceUsage
from argo_ml.devices.visible import driver_indices

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
    "Readings",
    "Recorder",
    "ResourceUsage",
    "concerns",
    "driver_indices",
    "open_driver",
]
