"""How many GPUs PyTorch would use, known without importing it where there cannot be any."""

from __future__ import annotations

import os
import sys

from argo_ml.devices.processor import LIMITS, instructions

_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""What the drivers of NVIDIA, of Windows' subsystem for Linux and of AMD show on Linux."""


def count_gpus() -> int:
    """GPUs that PyTorch shows; importing it takes seconds, and is left out where no driver is."""
    if not _may_have_gpus():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def machine_state() -> list[str]:
    """What decides on which devices, and in which precision, a model runs here."""
    names = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", *LIMITS)
    variables = [f"{name}={os.environ.get(name)}" for name in names]
    return [*variables, *(path for path in _DRIVERS if os.path.exists(path)), instructions()]


def _may_have_gpus() -> bool:
    is_linux = sys.platform.startswith("linux")
    return "torch" in sys.modules or not is_linux or any(map(os.path.exists, _DRIVERS))
