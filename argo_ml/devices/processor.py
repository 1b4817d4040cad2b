"""What the processor multiplies fastest, read from what it says of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Variables that keep oneDNN, which multiplies for PyTorch, from newer instructions."""

_FLAG = "amx_bf16"
"""Advanced Matrix Extensions. Vector instructions for bfloat16 (avx512_bf16) do not suffice: with
them alone a product of 256 rows takes 1.5 times as long as in float32 (docs/performance.md)."""


def multiplies_bfloat16(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether matrices of bfloat16 are multiplied faster than those of float32.

    False where the system does not list the processor's instructions, as outside Linux.
    """
    return _FLAG in instructions().split() and all(
        _allows_tiles(environment.get(name, "")) for name in LIMITS
    )


def instructions() -> str:
    """The instructions that the processor has; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _allows_tiles(limit: str) -> bool:
    return limit.upper() in ("", "ALL", "DEFAULT") or "AMX" in limit.upper()
