"""Free disk space, and how much an experiment wants."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from argo_ml.devices.base import GB, MB

NEEDED_GB = {"small": 2, "medium": 10, "full": 10}
"""Mode -> GB for models, indexes, the call cache and what tracking stores."""


def nearest_place(path: Path) -> Path:
    """The nearest place that exists: ``path`` or a folder above it."""
    return next(place for place in (path, *path.parents) if place.exists())


def free_bytes(path: Path) -> int:
    return shutil.disk_usage(nearest_place(path)).free


def shortage(mode: str, path: Path, free: int) -> str:
    """One line where ``free`` bytes at ``path`` are less than the mode needs, else empty."""
    if free >= NEEDED_GB[mode] * GB:
        return ""
    available = f"{free / GB:.1f} GB free at {nearest_place(path)}"
    return f"{available}; mode={mode} needs {NEEDED_GB[mode]} GB"


def shortages(needed: int, places: Iterable[Path]) -> Iterator[str]:
    """A line for each disk of ``places`` that has less free than the ``needed`` bytes."""
    disks = {nearest_place(place).stat().st_dev: place for place in places}
    for place in disks.values():
        free = free_bytes(place)
        if free < needed:
            available = f"{free / MB:,.0f} MB free at {nearest_place(place)}"
            yield f"{available}; the estimate says {needed / MB:,.0f} MB"
