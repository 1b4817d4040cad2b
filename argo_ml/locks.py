"""Locks between processes that name who holds them, and leave no file behind."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from argo_ml.processes import Process, parse_process, shown_time, this_process

SILENT_S = 2.0
"""Waits shorter than this are nobody's concern."""
_LONGEST = 4096
"""Characters of a lock file; files of other programs may be long."""
logger = logging.getLogger(__name__)


class HeldError(Exception):
    """Another process holds the lock; the message says which, and since when."""


class ProcessLock:
    """A lock file that one process holds at a time and that names it meanwhile.

    It dies with its process, and the file is removed when the lock is given back. ``purpose`` is
    what it is for, as whoever waits is told, and ``patience_s`` how long anybody does.
    """

    def __init__(self, path: Path, purpose: str = "", patience_s: float = math.inf) -> None:
        self.path = path
        self._purpose = purpose or path.name
        self._patience_s = patience_s
        self._lock = FileLock(path)

    def acquire(self, wait: bool = True) -> None:
        """Raises `HeldError` where another process holds it and ``wait`` is False, and OSError
        where there can be no such file or patience is at its end."""
        try:
            self._lock.acquire(timeout=min(SILENT_S, self._patience_s) if wait else 0)
        except Timeout:
            if not wait:
                raise HeldError(self.holder) from None
            self._wait()
        try:
            self._name_holder()
        except BaseException:
            self.release()
            raise

    def _name_holder(self) -> None:
        with contextlib.suppress(OSError):
            text = f"{time.time():.0f} {this_process().text}\n"
            self.path.write_text(text, encoding="utf-8")

    def _wait(self) -> None:
        logger.info("waiting for %s, which %s has", self._purpose, self.holder)
        left_s = self._patience_s - SILENT_S
        try:
            self._lock.acquire(timeout=-1 if math.isinf(left_s) else max(left_s, 0))
        except Timeout:
            raise TimeoutError(
                f"{self._purpose}: {self.holder} has had it for longer than "
                f"{self._patience_s:g} s; wait for it or stop it first"
            ) from None

    def release(self) -> None:
        if not self._lock.is_locked:
            return
        with contextlib.suppress(OSError):
            # Whoever waits for it sees that the file is gone, and makes another.
            self.path.unlink(missing_ok=True)
        self._lock.release()

    @contextlib.contextmanager
    def held_at_once(self) -> Iterator[None]:
        """Held by this process, which does not wait. Raises `HeldError`."""
        self.acquire(wait=False)
        try:
            yield
        finally:
            self.release()

    @property
    def holder(self) -> str:
        """Who has it, in words, as far as the file says."""
        try:
            since, process = _held(_read(self.path))
            if process is not None:
                return f"process {process.pid} on {process.host} since {shown_time(float(since))}"
        except (OSError, ValueError, OverflowError):
            pass
        return "another process"

    def __enter__(self) -> ProcessLock:
        self.acquire()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_process_lock(path: Path) -> bool:
    """Whether a file is that of a `ProcessLock`, and not another program's of such a name."""
    try:
        text = _read(path)
    except (OSError, ValueError):
        return False
    _, process = _held(text)
    return not text.strip() or process is not None


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(_LONGEST)


def _held(text: str) -> tuple[str, Process | None]:
    """Since when a lock is held, and by which process, as its file says."""
    since, _, line = text.partition(" ")
    return since, parse_process(line)
