"""Which of the driver's GPUs those are that PyTorch numbers 0, 1, …, and how CUDA is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argo_ml.devices.base import Gpu

VISIBLE = "CUDA_VISIBLE_DEVICES"
HIP_VISIBLE = "HIP_VISIBLE_DEVICES"
"""What AMD's runtime reads first; the other one only where this says nothing."""
_PREFIX = "GPU-"


def names_of(gpus: Sequence[int], visible: str | None) -> str:
    """What CUDA_VISIBLE_DEVICES says to a process that is to see these of the visible GPUs.

    ``gpus`` are numbers of PyTorch's, and ``visible`` is what the variable says to this process.
    """
    if not visible:
        return ",".join(map(str, gpus))
    names = [name.strip() for name in visible.split(",")]
    return ",".join(names[gpu] for gpu in gpus)


def driver_indices(
    gpus: Sequence[Gpu], visible: str | None, torch_uuids: Sequence[str] = ()
) -> Mapping[int, int]:
    """PyTorch's number of a GPU -> the driver's; a GPU that is not found has none.

    ``torch_uuids`` are what PyTorch says itself and decide where they are known: without them
    ``visible``, the value of CUDA_VISIBLE_DEVICES, is taken to count as the driver does, which CUDA
    promises with CUDA_DEVICE_ORDER=PCI_BUS_ID and otherwise where all GPUs are alike.
    """
    if torch_uuids:
        by_uuid = {_plain(gpu.uuid): gpu.index for gpu in gpus}
        indices = [by_uuid.get(_plain(uuid)) for uuid in torch_uuids]
    else:
        indices = visible_indices(gpus, visible)
    return {number: index for number, index in enumerate(indices) if index is not None}


def visible_indices(gpus: Sequence[Gpu], visible: str | None) -> list[int | None]:
    """The driver's numbers of the GPUs that PyTorch counts, in its order, as `driver_indices`.

    They are named by number or by the beginning of a UUID; CUDA ignores all after one that is not
    there. A part of a GPU (MIG) counts, but has no number and no readings of its own.
    """
    if visible is None:
        return [gpu.index for gpu in gpus]
    indices: list[int | None] = []
    for entry in (part.strip() for part in visible.split(",")):
        if entry.startswith("MIG-"):
            indices.append(None)
            continue
        matches = [gpu.index for gpu in gpus if _is_named(gpu, entry)]
        if len(matches) != 1:
            break
        indices += matches
    return indices


def _is_named(gpu: Gpu, entry: str) -> bool:
    if entry.startswith(_PREFIX):
        return gpu.uuid.lower().startswith(entry.lower())
    return entry.isdecimal() and gpu.index == int(entry)


def _plain(uuid: str) -> str:
    return uuid.removeprefix(_PREFIX).lower()
