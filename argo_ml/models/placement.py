"""Where a model goes: decisions as pure functions of what the machine has."""

from __future__ import annotations

from collections.abc import Sequence

from argo_ml.errors import ModelError


def choose_gpus(device: str, gpus: Sequence[int], n_gpus: int) -> tuple[int, ...]:
    """GPU ids to use; none for the CPU. ``n_gpus`` is how many the machine shows.

    Raises `ModelError` for an unknown device and for GPUs that are not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ModelError(f"device={device}: unknown; known: auto, cpu, cuda")
    if device == "cpu":
        if gpus:
            raise ModelError(f"gpus={_joined(gpus)}: not used with device=cpu; leave one out")
        return ()
    if n_gpus == 0 and (device == "cuda" or gpus):
        asked = f"gpus={_joined(gpus)}" if gpus else "device=cuda"
        raise ModelError(f"{asked}: no CUDA GPU is visible here, only the CPU; use device=cpu")
    absent = [gpu for gpu in gpus if not 0 <= gpu < n_gpus]
    if absent:
        there = _joined(range(n_gpus))
        raise ModelError(f"gpus={_joined(gpus)}: GPU {absent[0]} is not there; visible: {there}")
    return tuple(gpus) or tuple(range(n_gpus))


def choose_precision(precision: str, on_gpu: bool, has_bfloat16: bool) -> str:
    """auto: float32 on the CPU, bfloat16 on GPUs that have it, else float16."""
    if precision != "auto":
        return precision
    if not on_gpu:
        return "float32"
    return "bfloat16" if has_bfloat16 else "float16"


def check_fits(model: str, needed_bytes: int, free_bytes: int, where: str) -> None:
    """Raise `ModelError` if the weights alone need more than there is."""
    if needed_bytes > free_bytes:
        raise ModelError(
            f"model={model}: needs {needed_bytes / 2**30:.1f} GiB for its weights, {where} has "
            f"{free_bytes / 2**30:.1f} GiB free; use a smaller model or a lower precision"
        )


def _joined(gpus: Sequence[int]) -> str:
    return ",".join(map(str, gpus))
