"""GPUs of NVIDIA's driver, and who holds their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import psutil

from argo_ml.devices import Driver, DriverError, Gpu, Holder
from argo_ml.devices.base import GB
from argo_ml.doctor.check import Check, Status, ok

_UNREADABLE = "another user's process"
_FIX = "look at nvidia-smi; a restart of the machine may be due"


def list_gpus(driver: Driver | None) -> tuple[Gpu, ...]:
    """The driver's GPUs; none where there is no driver or it does not answer."""
    try:
        return driver.gpus() if driver is not None else ()
    except DriverError:
        return ()


def process_name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return _UNREADABLE


def check_gpus(
    driver: Driver | None, name_of: Callable[[int], str] = process_name
) -> Iterator[Check]:
    """The processes on each GPU; ``name_of`` says what a process id is called."""
    if driver is None:
        return
    try:
        for gpu in driver.gpus():
            holders = _listed(driver.holders(gpu.index), name_of)
            yield ok(f"GPU {gpu.index}", f"{gpu.name}, {_in_use(gpu)}: {holders}")
    except DriverError as error:
        yield Check("GPUs", Status.ERROR, f"the driver does not answer ({error})", _FIX)


def _in_use(gpu: Gpu) -> str:
    if gpu.total_bytes is None or gpu.free_bytes is None:
        return "memory in use"
    used = gpu.total_bytes - gpu.free_bytes
    return f"{used / GB:.1f} of {gpu.total_bytes / GB:.1f} GB in use"


def _listed(holders: Sequence[Holder], name_of: Callable[[int], str]) -> str:
    """Who holds most first, then those whose memory the driver does not tell."""
    if not holders:
        return "by no process that the driver shows"
    most_first = sorted(holders, key=lambda holder: -(holder.memory_mb or 0))
    return ", ".join(
        f"{name_of(holder.pid)} (pid {holder.pid}) {_memory(holder)}" for holder in most_first
    )


def _memory(holder: Holder) -> str:
    return "memory unknown" if holder.memory_mb is None else f"{holder.memory_mb:.0f} MB"
