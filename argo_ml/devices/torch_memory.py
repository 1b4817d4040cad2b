"""What PyTorch itself says of the GPUs that it sees, by its own numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from argo_ml.devices.base import MB


def uuids() -> tuple[str, ...]:
    """UUIDs of the visible GPUs by PyTorch's numbers.

    Empty where nothing here has used CUDA yet: asking would claim memory on a GPU.
    """
    cuda = _cuda_in_use()
    if cuda is None:
        return ()
    return tuple(str(cuda.get_device_properties(gpu).uuid) for gpu in range(cuda.device_count()))


def reset_peaks(gpus: Iterable[int]) -> None:
    """Count peaks from now on, beginning with what is held already."""
    cuda = _cuda_in_use()
    if cuda is not None:
        for gpu in gpus:
            cuda.reset_peak_memory_stats(gpu)


def peaks_mb(gpus: Iterable[int]) -> Mapping[int, float]:
    """Most MB of tensors at once by GPU; empty where this process does not use CUDA."""
    cuda = _cuda_in_use()
    return {} if cuda is None else {gpu: cuda.max_memory_allocated(gpu) / MB for gpu in gpus}


def release() -> None:
    """Give back the memory that PyTorch keeps on GPUs for tensors to come."""
    cuda = _cuda_in_use()
    if cuda is not None:
        cuda.empty_cache()


def _cuda_in_use() -> Any:
    """PyTorch's module, which is annotated in part only; None before its first use here.

    PyTorch is not imported to find that nothing has used it.
    """
    torch: Any = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_initialized() else None
