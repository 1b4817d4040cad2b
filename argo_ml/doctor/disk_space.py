"""Free disk space."""

from __future__ import annotations

from argo_ml.config import DoctorSpec
from argo_ml.devices import disk
from argo_ml.devices.base import GB
from argo_ml.devices.disk import nearest_place
from argo_ml.doctor.check import Check, Status, ok

_MIN_DISK_GB = 1


def check_disk(spec: DoctorSpec, free_bytes: int | None = None) -> Check:
    """Free space where models, indexes and calls are kept; medium and full need what they need."""
    place = spec.cache_path
    free = disk.free_bytes(place) if free_bytes is None else free_bytes
    short = disk.shortage(spec.mode, place, free)
    if not short:
        return ok("disk", f"{free / GB:.1f} GB free at {nearest_place(place)}")
    may_suffice = spec.mode == "small" and free >= _MIN_DISK_GB * GB
    status = Status.WARNING if may_suffice else Status.ERROR
    return Check("disk", status, short, "free some space, or choose another cache_dir")
