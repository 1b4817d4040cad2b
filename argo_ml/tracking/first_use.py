"""The first use of an SQLite store: its tables are made beside it and put in place whole.

MLflow makes them in the file itself, statement by statement: two commands at once collide, and what
a killed one leaves is refused by every later one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sqlite3
import time
from enum import Enum
from pathlib import Path

from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from argo_ml.locks import ProcessLock
from argo_ml.tracking.stores import sqlite_uri
from argo_ml.waiting import database_timeout_s

_PATIENCE_S = 10.0
"""Time for whoever else is making the tables just now, such as a server of MLflow's."""
_POLL_S = 0.2


class Condition(Enum):
    ABSENT = "absent"
    UNFINISHED = "unfinished"
    """Without all that every store begins with, and without any run."""
    USABLE = "usable"


def create_whole(path: Path) -> None:
    """Make the store at ``path`` unless it is there; any number of processes may do so at once.

    One whose making was cut off is replaced: no run is in it.
    """
    if condition(path) is Condition.USABLE:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with ProcessLock(lock, f"the tables of {path}", database_timeout_s()):
        if _after_a_while(path) is not Condition.USABLE:
            _make(path)


def condition(path: Path) -> Condition:
    """What is at ``path``; a file that cannot be read as a database is left to its user."""
    if not path.exists():
        return Condition.ABSENT
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=database_timeout_s())) as database:
            begun = all(_has_rows(database, name) for name in ("alembic_version", "experiments"))
            is_usable = begun or _has_rows(database, "runs")
    except sqlite3.Error:
        return Condition.USABLE
    return Condition.USABLE if is_usable else Condition.UNFINISHED


def _has_rows(database: sqlite3.Connection, table: str) -> bool:
    known = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return known is not None and database.execute(f"SELECT 1 FROM {table}").fetchone() is not None


def _after_a_while(path: Path) -> Condition:
    """The condition once nobody has written to an unfinished store for some seconds."""
    while (state := condition(path)) is Condition.UNFINISHED:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _PATIENCE_S:
                break
        time.sleep(_POLL_S)
    return state


def _make(path: Path) -> None:
    beside = path.with_name(f".{path.name}.new-{os.getpid()}")
    for left in path.parent.glob(f".{glob.escape(path.name)}.new-*"):
        left.unlink(missing_ok=True)
    try:
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            sqlite_uri(beside), DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
        )
        store.engine.dispose()
        _remove_journals(path)
        os.replace(beside, path)
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_journals(path)


def _remove_journals(path: Path) -> None:
    """What is left beside a database that was cut off belongs to none that replaces it."""
    for ending in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
