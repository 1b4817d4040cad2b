"""Which GPUs an experiment may use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argo_ml.errors import ModelError


def choose_gpus(device: str, gpus: Sequence[int], n_gpus: int) -> tuple[int, ...]:
    """GPU ids that may be used; none for the CPU. ``n_gpus`` is how many the machine shows.

    Raises `ModelError` for an unknown device and for GPUs that are not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ModelError(f"device={device}: unknown; known: auto, cpu, cuda")
    if device == "cpu":
        if gpus:
            raise ModelError(f"gpus={_joined(gpus)}: not used with device=cpu; leave one out")
        return ()
    if n_gpus == 0 and (device == "cuda" or gpus):
        wish = f"gpus={_joined(gpus)}" if gpus else "device=cuda"
        raise ModelError(f"{wish}: no CUDA GPU is visible here, only the CPU; use device=cpu")
    if len(set(gpus)) < len(gpus):
        raise ModelError(f"gpus={_joined(gpus)}: names a GPU twice; name each once")
    absent = [gpu for gpu in gpus if not 0 <= gpu < n_gpus]
    if absent:
        there = _joined(range(n_gpus))
        raise ModelError(f"gpus={_joined(gpus)}: GPU {absent[0]} is not there; visible: {there}")
    return tuple(gpus) or tuple(range(n_gpus))


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
