"""Where a model goes: decisions as pure functions of what the machine has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argo_ml.errors import ModelError

WEIGHTS_SHARE = 0.9
"""Share of a GPU's free memory that weights may take where a model is spread over several."""
ALONE_SHARE = 0.5
"""A model whose weights need at most this share of one GPU's free memory is not spread."""


@dataclass(frozen=True, slots=True)
class Placement:
    """``device_map`` and ``max_memory`` (bytes per GPU) as ``from_pretrained`` takes them."""

    device_map: str | dict[str, int | str]
    max_memory: dict[int, int] = field(default_factory=dict)


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
    if len(set(gpus)) < len(gpus):
        raise ModelError(f"gpus={_joined(gpus)}: names a GPU twice; name each once")
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


def place(needed_bytes: int, free_bytes: Mapping[int, int]) -> Placement:
    """Where weights of this size go, given the free memory of the GPUs to use.

    No GPUs: the CPU. One GPU with room for weights and batches: that one alone, since the layers
    of a spread model wait for one another. Otherwise evenly over all of them.
    """
    if not free_bytes:
        return Placement({"": "cpu"})
    roomiest = max(free_bytes, key=lambda gpu: free_bytes[gpu])
    if len(free_bytes) == 1 or needed_bytes <= ALONE_SHARE * free_bytes[roomiest]:
        return Placement({"": roomiest})
    return Placement(
        "balanced", {gpu: int(free * WEIGHTS_SHARE) for gpu, free in free_bytes.items()}
    )


def _joined(gpus: Sequence[int]) -> str:
    return ",".join(map(str, gpus))
