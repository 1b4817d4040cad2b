"""A connection to the file of the calls that one thread keeps while it asks again and again.

SQLite brings the whole log into the file and removes it whenever the last connection closes, and
writes through to the disk for that: tens of milliseconds after every look-up and every call.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from argo_ml.models.cache.database import SCHEMA_VERSION, connect, schema_version
from argo_ml.models.cache.healing import FileIdentity, file_identity
from argo_ml.waiting import database_timeout_s


@dataclass(frozen=True, slots=True)
class _Kept:
    """``guard`` may only read. While it is open SQLite removes no log when ``connection`` closes,
    and it removes none itself: the log's name may be that of a healed file's by then."""

    connection: sqlite3.Connection
    guard: sqlite3.Connection
    identity: FileIdentity
    process: int
    timeout_s: float


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.n_scopes: dict[Path, int] = {}
        self.kept: dict[Path, _Kept] = {}


_here = _OfThread()


@contextlib.contextmanager
def keeping_connection(path: Path) -> Iterator[None]:
    """Let this thread keep one connection to the file at ``path`` meanwhile."""
    _here.n_scopes[path] = _here.n_scopes.get(path, 0) + 1
    try:
        yield
    finally:
        _here.n_scopes[path] -= 1
        if not _here.n_scopes[path]:
            del _here.n_scopes[path]
            close_kept(path)


def kept_connection(path: Path) -> sqlite3.Connection | None:
    """The thread's connection to the file that is there now, opened where it is to be kept.

    None where it is not, or the file is not one of this version. Raises as opening does.
    """
    if path not in _here.n_scopes:
        return None
    kept = _here.kept.get(path)
    if kept is not None and not _is_current(kept, path):
        close_kept(path)
        kept = None
    if kept is None:
        kept = _open(path)
        if kept is not None:
            _here.kept[path] = kept
    return None if kept is None else kept.connection


def close_kept(path: Path) -> None:
    """Close the thread's connection as the last of all would be, where it has one."""
    kept = _here.kept.pop(path, None)
    if kept is None or kept.process != os.getpid():
        return
    first, last = kept.connection, kept.guard
    with contextlib.suppress(OSError):
        if file_identity(path) == kept.identity:
            first, last = last, first
    first.close()
    last.close()


def _is_current(kept: _Kept, path: Path) -> bool:
    return (
        kept.identity == file_identity(path)
        and kept.process == os.getpid()
        and kept.timeout_s == database_timeout_s()
    )


def _open(path: Path) -> _Kept | None:
    identity = file_identity(path)
    connection = connect(path)
    try:
        if schema_version(connection) != SCHEMA_VERSION:
            connection.close()
            return None
        guard = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except BaseException:
        connection.close()
        raise
    try:
        schema_version(guard)
    except sqlite3.Error:
        guard.close()
        connection.close()
        return None
    return _Kept(connection, guard, identity, os.getpid(), database_timeout_s())
