"""Every write and commit of a process, counted, and the process killed at one of them.

Watched are files below one folder (opened for writing, written, synced, renamed, linked, removed),
folders, commits and single writes of SQLite, and what is asked of MLflow and Chroma. A write is two
points: before it, and in its midst with half of it written.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MLFLOW = (
    "create_run",
    "create_experiment",
    "log_batch",
    "log_inputs",
    "update_run",
    "delete_tag",
    "set_terminated",
)
_CHROMA = ("add", "modify")
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")
_WRITING = re.compile("[wax+]")
_SQL_WRITES = (
    "COMMIT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "CREATE",
    "DROP",
    "ALTER",
    "VACUUM",
)
_NAMES = (
    (re.compile(r"[0-9a-f]{32,}"), "ID"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}"), "ID"),
    (re.compile(r"\.building-.*?-ID-\w+"), ".building"),
    (re.compile(r"(?<=\.json)-\w{8}$"), ""),
    (re.compile(r"\.new-\d+"), ".new"),
    (re.compile(r"(?<=\.artifact\.uploading\.)\w{8}"), ""),
)
"""What differs between two runs in the names of files."""


@dataclass(frozen=True, slots=True)
class Point:
    """The ``occurrence``-th time that a process comes to do ``action``, from 1 on."""

    action: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.action} #{self.occurrence}"


@dataclass(slots=True)
class Watch:
    """Counts the points of this process, and ends it with SIGKILL at ``deadly``.

    The file ``ignored`` is no part of the job: in it the scripted model counts its calls.
    """

    folder: Path
    deadly: Point | None = None
    ignored: str = "calls.log"
    reached: list[Point] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, action: str) -> None:
        """Called before ``action`` is done."""
        if self.is_deadly(action):
            die()

    def is_deadly(self, action: str) -> bool:
        with self._lock:
            self._counts[action] += 1
            point = Point(action, self._counts[action])
            self.reached.append(point)
        return point == self.deadly

    def named(self, path: object) -> str:
        """A path below the folder as it is the same in every run; empty for any other."""
        if not path:
            return ""
        try:
            text = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return ""
        prefix = f"{self.folder}{os.sep}"
        if not text.startswith(prefix):
            return ""
        name = text.removeprefix(prefix)
        if name == self.ignored:
            return ""
        for pattern, same in _NAMES:
            name = pattern.sub(same, name)
        return name


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def install(watch: Watch) -> None:
    """Watch this process from now on; meant for one that does one job and ends."""
    _watch_files(watch)
    _watch_writes(watch)
    _watch_sqlite(watch)
    _watch_clients(watch)


def _watch_files(watch: Watch) -> None:
    """Through audit events, which Python raises before it asks the system."""

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if is_writing and not isinstance(path, int) and (name := watch.named(path)):
                watch.reach(f"open {name}")
        elif event in _CHANGES:
            for path in arguments[:2]:
                if name := watch.named(_absolute(path, arguments[-1])):
                    watch.reach(f"{event} {name}")
                    return

    sys.addaudithook(on_event)


def _absolute(path: object, folder: object) -> object:
    """A name relative to an open folder, as `shutil.rmtree` uses them, as a path."""
    if isinstance(folder, int) and folder > 0 and isinstance(path, (str, bytes)):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))
    return path


def _watch_writes(watch: Watch) -> None:
    class WatchedFile(io.FileIO):
        def write(self, content: Any, /) -> int:
            name = watch.named(_path(self.name))
            if name and len(content):
                watch.reach(f"write {name}")
                if watch.is_deadly(f"half of a write {name}"):
                    super().write(bytes(content)[: len(bytes(content)) // 2])
                    die()
            return super().write(content)

    plain_open, plain_sync, plain_send = builtins.open, os.fsync, os.sendfile

    def watched_open(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if not _WRITING.search(mode) or not watch.named(_path(file)):
            return plain_open(file, mode, *args, **options)
        return _wrapped(WatchedFile, file, mode, *args, **options)

    def watched_sync(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if name := watch.named(_path(number)):
            watch.reach(f"fsync {name}")
        plain_sync(handle)

    def watched_send(target: int, source: int, offset: int, count: int) -> int:
        name, n_bytes = (
            watch.named(_path(target)),
            os.fstat(source).st_size,
        )
        if name and offset < n_bytes:
            watch.reach(f"write {name}")
            if watch.is_deadly(f"half of a write {name}"):
                plain_send(target, source, offset, n_bytes // 2)
                die()
        return plain_send(target, source, offset, count)

    builtins.open = io.open = watched_open
    os.fsync, os.sendfile = watched_sync, watched_send  # type: ignore[assignment]


def _path(file: object) -> object:
    """Of a file by its name or its number; empty for a pipe."""
    if not isinstance(file, int):
        return file
    path = os.readlink(f"/proc/self/fd/{file}")
    return path if os.path.isabs(path) else ""


def _wrapped(
    file_type: type[io.FileIO],
    file: Any,
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[str, int], int] | None = None,
) -> Any:
    """What `open` returns, around a raw file of ``file_type``."""
    raw = file_type(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    if buffering == 0:
        return raw
    binary: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    if "b" in mode:
        return binary
    return io.TextIOWrapper(binary, encoding, errors, newline, line_buffering=buffering == 1)


def _watch_sqlite(watch: Watch) -> None:
    plain_connect = sqlite3.connect

    def watched_connect(database: Any, *args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = plain_connect(database, *args, **options)
        path = str(database).removeprefix("file:").partition("?")[0]
        if name := watch.named(path):

            def on_statement(statement: str) -> None:
                verb = statement.lstrip().partition(" ")[0].rstrip(";").upper()
                if verb == "COMMIT" or (verb in _SQL_WRITES and not connection.in_transaction):
                    watch.reach(f"{verb} {name}")

            connection.set_trace_callback(on_statement)
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = watched_connect  # type: ignore[assignment]


def _watch_clients(watch: Watch) -> None:
    from chromadb import Collection
    from mlflow import MlflowClient

    for owner, names in ((MlflowClient, _MLFLOW), (Collection, _CHROMA)):
        for name in names:
            setattr(owner, name, _watched_method(watch, owner, name))


def _watched_method(watch: Watch, owner: type, name: str) -> Callable[..., Any]:
    plain = getattr(owner, name)
    action = f"{owner.__name__}.{name}"

    def method(*args: Any, **options: Any) -> Any:
        watch.reach(action)
        return plain(*args, **options)

    return method
