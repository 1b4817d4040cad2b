"""How many GPUs PyTorch would use, known without importing it where there cannot be any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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
    names = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    variables = [f"{name}={os.environ.get(name)}" for name in names]
    return [*variables, *(path for path in _DRIVERS if os.path.exists(path)), _processor()]


def _may_have_gpus() -> bool:
    is_linux = sys.platform.startswith("linux")
    return "torch" in sys.modules or not is_linux or any(map(os.path.exists, _DRIVERS))


def _processor() -> str:
    """The instructions that the processor has; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
