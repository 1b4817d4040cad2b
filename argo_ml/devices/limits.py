"""What control groups leave this process of its machine, as containers and batch systems set them.

The files are those of Linux (https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1);
elsewhere nothing is limited.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

OWN_GROUPS = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
_share = 1.0


def available_bytes() -> int:
    """Memory that can be taken now: what the machine has free, or less by a group's limit."""
    left = [group.memory_left() for group in own_groups()]
    return _least(psutil.virtual_memory().available, left)


def own_bytes() -> int:
    """Memory of this process alone, without files that it has mapped."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def share_memory(share: float) -> None:
    """Leave the rest of the machine's memory to processes like this one."""
    global _share
    _share = share


def room_bytes() -> int:
    """All that this process may take, beside those that it shares the machine's memory with."""
    return int(_share * total_bytes())


def total_bytes() -> int:
    """Memory that can be taken where all of it is free."""
    limits = [group.memory_limit() for group in own_groups()]
    return _least(psutil.virtual_memory().total, limits)


def processors() -> Sequence[int]:
    """The numbers of the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def n_cores() -> int:
    """How many processors may be busy at once; a share of one counts as one."""
    shares = (group.cpu_share() for group in own_groups())
    return min([len(processors()), *(math.ceil(share) for share in shares if share)])


@dataclass(frozen=True, slots=True)
class Group:
    """A control group; None is what it does not limit, or does not tell."""

    folder: Path

    def memory_limit(self) -> int | None:
        return self._number("memory.max", "memory.limit_in_bytes")

    def memory_left(self) -> int | None:
        """Below its limit; files that the kernel has read and can forget again count as free."""
        limit = self.memory_limit()
        used = self._number("memory.current", "memory.usage_in_bytes")
        if limit is None or used is None:
            return None
        kinds = ("active_file", "inactive_file")
        forgotten = sum(self._statistic(f"total_{kind}") or self._statistic(kind) for kind in kinds)
        return max(0, limit - max(0, used - forgotten))

    def cpu_share(self) -> float | None:
        """Processors that it may keep busy."""
        quota, _, period = self._text("cpu.max").partition(" ")
        if not quota:
            quota, period = self._text("cpu.cfs_quota_us"), self._text("cpu.cfs_period_us")
        if not quota.isdecimal() or not period.isdecimal():
            return None
        return int(quota) / int(period)

    def _number(self, *names: str) -> int | None:
        texts = map(self._text, names)
        return next((int(text) for text in texts if text.isdecimal()), None)

    def _statistic(self, name: str) -> int:
        lines = (line.split() for line in self._text("memory.stat").splitlines())
        return next((int(value) for own, value in lines if own == name), 0)

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""


def own_groups() -> Iterator[Group]:
    """Those of this process, and all that they are part of.

    In a container ``ROOT`` is often the container's own group, whatever the path says.
    """
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in ("", "cpu", "memory"):
                own = PurePosixPath(path.lstrip("/"))
                yield from (Group(ROOT / name / place) for place in (own, *own.parents))


def _least(whole: int, parts: Sequence[int | None]) -> int:
    return min([int(whole), *(part for part in parts if part is not None)])
