"""The SQLite file of the calls: made, brought up to date, and told apart from what it is not."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from argo_ml.errors import ArgoError, one_line, system_reason
from argo_ml.locks import ProcessLock
from argo_ml.models.cache import ledger
from argo_ml.models.cache.entries import model_checksum, row_checksum
from argo_ml.waiting import database_timeout_s, is_locked, locked_advice

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE models (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES models (id),
    kind TEXT NOT NULL,
    output TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    output_tokens TEXT NOT NULL,
    seconds REAL NOT NULL,
    payer TEXT NOT NULL,
    created REAL NOT NULL,
    last_used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX calls_by_model ON calls (model);
"""
"""That of version 1; `_MIGRATIONS` follow also in a new file, so that all are the same."""
_CHECKSUMS = """
ALTER TABLE models ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
"""
_MIGRATIONS = {2: _CHECKSUMS, 3: ledger.SCHEMA}
"""What each version has beyond the one before it."""
_AS_BYTES = (
    "CAST(key AS BLOB), model, CAST(kind AS BLOB), CAST(output AS BLOB), prompt_tokens, "
    "CAST(output_tokens AS BLOB), seconds, CAST(payer AS BLOB)"
)
"""What `row_checksum` takes: a damaged text need not be UTF-8."""

_OBSTACLES = {
    "disk is full": "free disk space, or choose another cache_dir",
    "No space left": "free disk space, or choose another cache_dir",
    "disk I/O error": "free disk space, check the disk, or choose another cache_dir",
    "File too large": "free disk space, or choose another cache_dir",
    "quota exceeded": "free disk space, or choose another cache_dir",
    "locking protocol": "its file system cannot lock files: choose another cache_dir",
    "out of memory": "free memory, or run less at once",
    "readonly": "make it and its folder writable, or choose another cache_dir",
    "unable to open": "make it and its folder writable, or choose another cache_dir",
    "permission denied": "make it and its folder writable, or choose another cache_dir",
    "interrupted": "run again",
}
"""What SQLite says of a sound file that it cannot use now, and what helps."""


def obstacle(error: Exception, path: Path) -> ArgoError | None:
    """What keeps the file from being used; None where the file itself is damaged."""
    reason = one_line(error)
    if isinstance(error, OSError):
        said = system_reason(error)
        return _unusable(path, said, _advice(said, _OBSTACLES["readonly"]))
    if "readonly" in reason and _is_writable(path):
        # A flipped bit of the header says so as well.
        return None
    advice = _advice(reason, "")
    return _unusable(path, reason, advice) if advice else None


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=database_timeout_s(), isolation_level=None)
    connection.text_factory = bytes
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def schema_version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def create_private(path: Path) -> None:
    """An empty file that its user alone can read, in folders that are as private where made."""
    _make_private_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def prepare(path: Path) -> None:
    """Create the tables of a new file, bring an old one up to date, refuse a newer one.

    SQLite does not wait where two connections switch one file to a write-ahead log, and another
    process may put a healed file in the place of this one: hence a lock, and a connection that is
    opened behind it.
    """
    with lock(path), closing(connect(path)) as connection:
        version = _known_version(connection, path)
        if version == 0:
            create(connection)
        elif version < SCHEMA_VERSION:
            _migrate(connection, path, version)


def create(connection: sqlite3.Connection) -> None:
    """The tables of this version in an empty file."""
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        _create_tables(connection, SCHEMA_VERSION)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; within another transaction a part of that."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # SQLite has already rolled back after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def integrity_problem(connection: sqlite3.Connection) -> str:
    """What SQLite finds wrong with the file, empty if nothing."""
    first = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return "" if first == b"ok" else one_line(str(first, errors="replace"))


def lock(path: Path) -> ProcessLock:
    return ProcessLock(path.with_name(f"{path.name}.lock"), f"{path}")


def _known_version(connection: sqlite3.Connection, path: Path) -> int:
    version, tables = schema_version(connection), _tables(connection)
    if version == SCHEMA_VERSION or (version == 0 and not tables):
        return version
    for known in range(SCHEMA_VERSION, 0, -1):
        # Each version has other tables, so these with another number are a flipped bit.
        if (version ^ known).bit_count() == 1 and tables == _expected_tables(known):
            logger.warning("%s: said to be of version %d and is of %d", path, version, known)
            connection.execute(f"PRAGMA user_version = {known}")
            return known
    if 0 < version < SCHEMA_VERSION:
        return version
    if version == 0:
        raise ArgoError(f"{path}: is a database of something else; move it away")
    raise ArgoError(
        f"{path}: has schema version {version}, this argo_ml reads {SCHEMA_VERSION}; "
        "use the newer argo_ml that wrote it, or another cache_dir"
    )


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Add what the versions after ``version`` have, with what can be known of what is stored."""
    problem = integrity_problem(connection)
    if problem:
        raise sqlite3.DatabaseError(problem)
    with transaction(connection):
        if version < 2:
            _execute_all(connection, _CHECKSUMS)
            _add_checksums(connection)
        _execute_all(connection, ledger.SCHEMA)
        ledger.mend(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    os.chmod(path, path.stat().st_mode & 0o770)


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Give every call its checksum; what it says until then cannot be checked."""
    connection.create_function("row_checksum", 8, _checksum_of_sound)
    connection.create_function("model_checksum", 2, _checksum_of_model)
    connection.execute(f"UPDATE calls SET checksum = coalesce(row_checksum({_AS_BYTES}), 0)")
    connection.execute("UPDATE models SET checksum = model_checksum(id, CAST(identity AS BLOB))")


def _checksum_of_sound(*row: bytes | int | float) -> int | None:
    """None where an old row is visibly wrong, so that its checksum does not match."""
    try:
        json.loads(row[3])  # type: ignore[arg-type]
        json.loads(row[5])  # type: ignore[arg-type]
        return row_checksum(*row)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _checksum_of_model(model: int, identity: bytes) -> int:
    return model_checksum(model, identity)


def _tables(connection: sqlite3.Connection) -> list[bytes]:
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    return [sql for (sql,) in connection.execute(query)]


@lru_cache
def _expected_tables(version: int) -> list[bytes]:
    with closing(connect(Path(":memory:"))) as connection:
        _create_tables(connection, version)
        return _tables(connection)


def _create_tables(connection: sqlite3.Connection, version: int) -> None:
    _execute_all(connection, _SCHEMA)
    for later in range(2, version + 1):
        _execute_all(connection, _MIGRATIONS[later])


def _execute_all(connection: sqlite3.Connection, statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)


def _make_private_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _advice(reason: str, default: str) -> str:
    if is_locked(reason):
        return locked_advice()
    return next((advice for said, advice in _OBSTACLES.items() if said in reason), default)


def _unusable(path: Path, reason: str, advice: str) -> ArgoError:
    return ArgoError(f"{path}: the cache of model calls cannot be used ({reason}); {advice}")
