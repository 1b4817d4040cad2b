"""How many GPUs there are, known without importing PyTorch where there cannot be any."""

from __future__ import annotations

import os
import sys

from argo_ml.devices.base import DriverError
from argo_ml.devices.nvml import open_driver
from argo_ml.devices.processor import LIMITS, instructions
from argo_ml.devices.visible import HIP_VISIBLE, VISIBLE, visible_indices

_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""What the drivers of NVIDIA, of Windows' subsystem for Linux and of AMD show on Linux."""


def count_gpus() -> int:
    """GPUs that PyTorch shows; importing it takes seconds, and is left out where no driver is."""
    if not _may_have_gpus():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def count_visible_gpus() -> int:
    """GPUs that a process which is started here sees, also where this one's PyTorch has none."""
    n_gpus = count_gpus()
    if n_gpus:
        return n_gpus
    return len(_visible_names())


def machine_state() -> list[str]:
    """What decides on which devices, and in which precision, a model runs here."""
    names = (VISIBLE, HIP_VISIBLE, "CUDA_DEVICE_ORDER", *LIMITS)
    variables = [f"{name}={os.environ.get(name)}" for name in names]
    drivers = [path for path in _DRIVERS if os.path.exists(path)]
    gpus = _visible_names() if drivers else []
    return [*variables, *drivers, *gpus, instructions()]


def _visible_names() -> list[str]:
    """Names of the GPUs that are seen here, as the driver says; a part of one (MIG) is a part."""
    with open_driver() as driver:
        try:
            gpus = driver.gpus() if driver else ()
        except DriverError:
            return []
    names = {gpu.index: gpu.name for gpu in gpus}
    visible = visible_indices(gpus, os.environ.get(VISIBLE))
    return ["a part" if index is None else names[index] for index in visible]


def _may_have_gpus() -> bool:
    is_linux = sys.platform.startswith("linux")
    return "torch" in sys.modules or not is_linux or any(map(os.path.exists, _DRIVERS))
