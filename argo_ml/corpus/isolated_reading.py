"""Documents read in a process of their own, within limits of time and memory for each document.

A document can make its parser run for hours or take all memory. One process reads them all; it is
replaced after a document that went over its limits or made it crash.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import psutil

from argo_ml.corpus.kept_readings import KeptReadings, Readings
from argo_ml.corpus.readers import Reading, Section, UnreadableError, read_file
from argo_ml.corpus.readers.reading import MIB
from argo_ml.corpus.readers.worker import OUT_OF_MEMORY
from argo_ml.errors import DataError

WORKER = "argo_ml.corpus.readers.worker"
WAITED_TIMES = 10
"""A limit of processor time, on a machine that is busy with other things, in time by the clock."""

_ASKED = 16
"""Files asked for at a time."""
_POLL_S = 0.05
_START_S = 300.0
_SMALL = {".txt": 64 * 1024, ".md": 8 * 1024}
"""Bytes of files that cannot take long, and are read without another process.

Plain text takes time in proportion to its size, Markdown at worst to the square of it: half a
second for the worst 8 KB of twenty kinds of repeated marks.
"""

_OVER_TIME = "SIGXCPU"
"""The signal of a process that had its processor time before anybody looked."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a document may take: seconds of processor time, and memory of the process."""

    seconds: float = 60.0
    memory_mb: int = 1536

    @property
    def too_slow(self) -> UnreadableError:
        return UnreadableError(
            f"reading it took longer than {self.seconds:g} s of processor time; raise "
            "document_seconds, or leave it out"
        )

    @property
    def too_large(self) -> UnreadableError:
        return UnreadableError(
            f"reading it took more than {self.memory_mb} MB of memory; raise document_mb, or "
            "leave it out"
        )


DEFAULT_LIMITS = ReadingLimits()


def read_all(
    files: Sequence[Path], limits: ReadingLimits, kept_in: Path | None = None
) -> Iterator[Reading | UnreadableError]:
    """What becomes of every file, in order; for a folder ``kept_in`` those that may take long are
    parsed once.

    Raises `DataError` where the process that reads cannot be started.
    """
    small = {file for file in files if _is_small(file)}
    others = [file for file in files if file not in small]
    read = partial(_isolated, limits=limits)
    kept = None if kept_in is None else KeptReadings(kept_in, limits)
    readings = read(others) if kept is None else kept.read_once(others, read)
    with contextlib.closing(readings):
        for file in files:
            yield _read_here(file) if file in small else next(readings)


def _is_small(file: Path) -> bool:
    try:
        return file.stat().st_size <= _SMALL.get(file.suffix.lower(), -1)
    except OSError:
        return True


def _read_here(file: Path) -> Reading | UnreadableError:
    try:
        return read_file(file)
    except UnreadableError as error:
        return error


def _isolated(files: Sequence[Path], limits: ReadingLimits) -> Readings:
    """The next files are asked for before a reading is given, so that neither side waits."""
    process: ReaderProcess | None = None
    try:
        for index in range(len(files)):
            if process is None or process.has_ended:
                process = ReaderProcess(limits)
            process.ask(*files[index : index + _ASKED])
            yield process.reply()
    finally:
        if process is not None:
            process.close()


class ReaderProcess:
    """Reads the files that it is asked for, in order, until one of them ends it."""

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        self._asked: list[Path] = []
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = _start(limits, self._messages)
        try:
            self._usage = psutil.Process(self.pid)
            self._replies: queue.Queue[bytes] = queue.Queue()
            threading.Thread(target=self._receive, daemon=True).start()
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    def ask(self, *files: Path) -> None:
        """Ask for those of the files that it is not asked for already."""
        assert self._process.stdin is not None
        for file in files:
            if file not in self._asked:
                self._asked.append(file)
                # A process that has just died says so when it is waited for.
                with contextlib.suppress(OSError):
                    self._process.stdin.write(json.dumps(os.fspath(file)).encode() + b"\n")
                    self._process.stdin.flush()

    def reply(self) -> Reading | UnreadableError:
        """What became of the first file that was asked for and not replied to."""
        self._asked.pop(0)
        try:
            line = self._next_line()
        except UnreadableError as error:
            self.close()
            return error
        reply = json.loads(line) if line else self._end()
        if OUT_OF_MEMORY in reply:
            self.close()
            return self._limits.too_large
        if "reason" in reply:
            return UnreadableError(reply["reason"])
        sections = [Section(tuple(titles), text) for titles, text in reply["sections"]]
        return Reading(sections, reply["guess"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._messages.close()

    def _receive(self) -> None:
        """Hand on the lines of the process; an empty one stands for its end."""
        assert self._process.stdout is not None
        # A reader that is closed in the midst of a line has nothing more to say.
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._replies.put(line)
        self._replies.put(b"")

    def _wait_until_ready(self) -> None:
        try:
            line = self._replies.get(timeout=_START_S)
        except queue.Empty:
            line = b""
        if not line:
            detail = self._last_message()
            raise DataError(f"the process that reads documents does not start ({detail})")

    def _next_line(self) -> bytes:
        """Raises `UnreadableError` where the document goes over a limit before there is one."""
        with contextlib.suppress(queue.Empty):
            return self._replies.get(timeout=_POLL_S)
        started, processor_s = time.monotonic(), self._processor_s()
        while True:
            with contextlib.suppress(queue.Empty):
                return self._replies.get(timeout=_POLL_S)
            if self._memory_mb() > self._limits.memory_mb:
                raise self._limits.too_large
            waited_s, worked_s = time.monotonic() - started, self._processor_s() - processor_s
            if max(worked_s, waited_s / WAITED_TIMES) > self._limits.seconds:
                raise self._limits.too_slow

    def _processor_s(self) -> float:
        with contextlib.suppress(psutil.Error):
            times = self._usage.cpu_times()
            return float(times.user + times.system)
        return 0.0

    def _memory_mb(self) -> float:
        with contextlib.suppress(psutil.Error):
            return float(self._usage.memory_info().rss) / MIB
        return 0.0

    def _end(self) -> dict[str, Any]:
        """The reply on behalf of a process that has died over a document."""
        code = self._process.wait()
        detail = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        message = self._last_message()
        self.close()
        logger.debug("the process that reads documents ended (%s): %s", detail, message)
        if detail == _OVER_TIME:
            return {"reason": str(self._limits.too_slow)}
        return {"reason": f"its parser crashed ({detail})"}

    def _last_message(self) -> str:
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def _start(limits: ReadingLimits, messages: IO[bytes]) -> subprocess.Popen[bytes]:
    # Not by multiprocessing, which would run the user's own script again.
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", WORKER, f"{limits.seconds:g}", str(limits.memory_mb)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=messages,
        env={**os.environ, "PYTHONPATH": paths},
    )
