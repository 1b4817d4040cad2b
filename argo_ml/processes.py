"""Which process does something, and whether it still lives: for runs and locks that name theirs.

A process holds a lock in the folder of temporary files as long as it lives: the system frees it,
however the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import platform
import socket
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

_MACHINE_ID = Path("/etc/machine-id")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_DRAWN = 1 << 40
"""The bit of addresses that `uuid.getnode` has drawn."""
_START_TOLERANCE_S = 2.0
"""Readings of one start differ where the clock is corrected meanwhile."""
LOCK_PREFIX = "argo-ml-process-"


class Life(Enum):
    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It is of another machine or container, which alone can say."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process anywhere; ``started`` is in seconds since 1970.

    ``machine`` tells machines of one name apart, ``boot`` and ``namespace`` which processes of a
    machine share their numbers. ``lock`` is the file that it holds as long as it lives.
    """

    pid: int
    host: str
    started: float
    machine: str = ""
    boot: str = ""
    namespace: str = ""
    lock: str = ""

    @property
    def text(self) -> str:
        """One line that `parse_process` reads."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, started {shown_time(self.started)}"


def shown_time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def parse_process(line: str) -> Process | None:
    """The process that a line names; None where it names none."""
    try:
        values = json.loads(line)
        return Process(**{field.name: _checked(values, field.name) for field in fields(Process)})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _checked(values: Mapping[str, Any], name: str) -> Any:
    kind = {"pid": int, "started": (int, float)}.get(name, str)
    value = values[name]
    if not isinstance(value, kind):  # type: ignore[arg-type]
        raise TypeError(name)
    return value


def this_process() -> Process:
    """This process, which holds its lock from now on."""
    return _identified(os.getpid())


@cache
def _identified(pid: int) -> Process:
    """The number is asked for so that a forked process is another one."""
    lock = _hold_lock(pid)
    started = psutil.Process(pid).create_time()
    process = Process(
        pid, socket.gethostname(), started, _machine(), _boot(), _namespace(), str(lock)
    )
    lock.write_text(f"{process.text}\n", encoding="utf-8")
    return process


def _hold_lock(pid: int) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f"{LOCK_PREFIX}{pid}-", suffix=".lock")
    os.close(descriptor)
    lock = FileLock(name)
    lock.acquire()
    atexit.register(_release, lock, pid)
    return Path(name)


def _release(lock: FileLock, pid: int) -> None:
    if os.getpid() == pid:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


def life_of(process: Process) -> Life:
    """Whether a process lives, as far as that can be seen from here."""
    here = this_process()
    if not _is_of(process, here):
        return Life.UNKNOWN
    if process.boot != here.boot:
        # What stands for a missing id, machines of one name may share: containers at one address.
        return Life.DEAD if _read(_MACHINE_ID) else Life.UNKNOWN
    is_locked = _is_locked(Path(process.lock)) if process.lock else None
    if is_locked:
        return Life.ALIVE
    if process.namespace != here.namespace:
        # Containers of one machine may share its name, and have other numbers and folders.
        return Life.UNKNOWN if is_locked is None else Life.DEAD
    if is_locked is None:
        return Life.ALIVE if _is_running(process) else Life.DEAD
    return Life.DEAD


def _is_of(process: Process, here: Process) -> bool:
    """Whether it is of this machine: a laptop has the name that the network gives it, but one start
    of one kernel, with one list of processes."""
    if process.boot and (process.boot, process.namespace) == (here.boot, here.namespace):
        return True
    # Machines of one id and several names are containers, which a Mac's own system has none of.
    is_named_so = process.host == here.host or platform.system() == "Darwin"
    return is_named_so and process.machine == here.machine


def _is_locked(path: Path) -> bool | None:
    """Whether anybody holds a lock; None where there is none or it may not be asked for."""
    if not path.is_file():
        return None
    try:
        FileLock(path).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    except OSError:
        return None
    return False


def _is_running(process: Process) -> bool:
    try:
        started = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        return _is_hidden(process.pid)
    except psutil.Error:
        return True
    return abs(started - process.started) < _START_TOLERANCE_S


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of another user, which `/proc` does not show with ``hidepid``."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


@contextlib.contextmanager
def ending(process: Process) -> Iterator[None]:
    """One process at a time ends what a dead one has left; where a lock can lie, that is."""
    path = Path(f"{process.lock}.ending")
    lock = FileLock(path)
    try:
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def forget(process: Process) -> None:
    """Remove the lock that a dead process has left."""
    path = Path(process.lock)
    if path.name.startswith(LOCK_PREFIX):
        remove_free_lock(path)


def is_free_lock(path: Path) -> bool:
    return _is_locked(path) is False


def remove_free_lock(path: Path) -> bool:
    """Remove a lock that nobody holds; returns whether it is gone."""
    if not path.is_file():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            # Whoever opened it meanwhile sees that it is gone, and makes another.
            path.unlink(missing_ok=True)
    except (Timeout, OSError):
        return False
    return True


def _machine() -> str:
    """Not the id itself, which is a secret of the machine."""
    known = _read(_MACHINE_ID) or _stand_in()
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def _stand_in() -> str:
    """The address of a machine without an id; where it has none, and each process draws one, its
    start."""
    node = uuid.getnode()
    start = _boot() if node & _DRAWN else ""
    return start or f"{node:012x}"


def _boot() -> str:
    return _read(_BOOT_ID)


def _namespace() -> str:
    try:
        return os.readlink(_NAMESPACE)
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
