"""Where model calls are kept: one SQLite file that many processes may use at once."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from argo_ml.errors import ArgoError, ConfigError

ResultType = TypeVar("ResultType")
Work = Callable[[sqlite3.Connection], ResultType]
logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 60.0
DAY_S = 86_400.0
_KEYS_PER_STATEMENT = 500
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
_ENTRY = "key, kind, output, prompt_tokens, output_tokens, seconds, payer"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished call: ``output`` and ``output_tokens`` are JSON, ``billed_to`` who executed it."""

    key: str
    kind: str
    output: str
    prompt_tokens: int
    output_tokens: str
    seconds: float
    billed_to: str


@dataclass(frozen=True, slots=True)
class ModelEntries:
    """How many calls of one model are stored; runs record its ``digest`` as ``model_digest``."""

    identity: str
    n_entries: int

    @property
    def digest(self) -> str:
        return model_digest(self.identity)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache file holds; ``seconds`` is what its calls took when they were executed."""

    path: Path
    entries: dict[str, int]
    models: tuple[ModelEntries, ...]
    size_bytes: int
    seconds: float

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.entries.items()))
        summary = (
            f"{sum(self.entries.values())} calls ({kinds or 'empty'}) of {len(self.models)} "
            f"models, {self.size_bytes / 2**20:.1f} MiB, {self.seconds:.0f} s of model time"
        )
        lines = [f"{model.digest}  {model.n_entries}  {model.identity}" for model in self.models]
        return "\n".join([summary, *lines])


@dataclass(frozen=True, slots=True)
class Pruned:
    n_entries: int
    freed_bytes: int

    def __str__(self) -> str:
        return f"{self.n_entries} calls removed, {self.freed_bytes / 2**20:.1f} MiB freed"


def model_digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


class CallCache:
    """Finished model calls by key.

    Every operation is one short transaction on a connection of its own, so any number of threads
    and processes may share a file. With a write-ahead log and ``synchronous=NORMAL`` a killed
    process loses nothing it has written; a power cut may lose the last calls, never the file.
    A corrupt file is set aside and a new one begun. Everything else that goes wrong raises
    `ArgoError`.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._do(lambda connection: None)

    def find(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The entries that exist; keys without one are left out."""
        distinct = list(dict.fromkeys(keys))
        return self._do(lambda connection: self._find(connection, distinct)) if distinct else {}

    def add(self, identity: str, entries: Sequence[Entry]) -> dict[str, Entry]:
        """Store calls of one model and return what is stored under their keys.

        Where another process was first its entry stays and is returned.
        """
        return self._do(lambda connection: self._add(connection, identity, entries))

    def stats(self) -> CacheStats:
        return self._do(self._stats)

    def prune(self, older_than_days: float | None = None, digest: str = "") -> Pruned:
        """Remove calls not used for so many days, those of one model, or those that are both.

        ``digest`` is a `model_digest`. Raises `ConfigError` where neither is given or no model
        has that digest.
        """
        if older_than_days is None and not digest:
            raise ConfigError("prune: give older_than_days, model_digest or both")
        before = self._size()
        n_entries = self._do(lambda connection: self._prune(connection, older_than_days, digest))
        return Pruned(n_entries, max(0, before - self._size()))

    def _find(self, connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        stale: list[str] = []
        now = self._clock()
        for chunk in _chunks(keys):
            query = f"SELECT {_ENTRY}, last_used FROM calls WHERE key IN ({_marks(chunk)})"
            for *values, last_used in connection.execute(query, chunk):
                entries[values[0]] = Entry(*values)
                # Written once a day at most, so that looking up stays cheap.
                if now - last_used > DAY_S:
                    stale.append(values[0])
        for chunk in _chunks(stale):
            update = f"UPDATE calls SET last_used = ? WHERE key IN ({_marks(chunk)})"
            connection.execute(update, (now, *chunk))
        return entries

    def _add(
        self, connection: sqlite3.Connection, identity: str, entries: Sequence[Entry]
    ) -> dict[str, Entry]:
        now = self._clock()
        with _transaction(connection):
            connection.execute("INSERT OR IGNORE INTO models (identity) VALUES (?)", (identity,))
            select = "SELECT id FROM models WHERE identity = ?"
            [model] = connection.execute(select, (identity,)).fetchone()
            connection.executemany(
                f"INSERT OR IGNORE INTO calls ({_ENTRY}, model, created, last_used) "
                f"VALUES ({_marks(range(10))})",
                [
                    (
                        entry.key,
                        entry.kind,
                        entry.output,
                        entry.prompt_tokens,
                        entry.output_tokens,
                        entry.seconds,
                        entry.billed_to,
                        model,
                        now,
                        now,
                    )
                    for entry in entries
                ],
            )
            return self._find(connection, [entry.key for entry in entries])

    def _stats(self, connection: sqlite3.Connection) -> CacheStats:
        kinds = connection.execute("SELECT kind, count(*) FROM calls GROUP BY kind")
        models = connection.execute(
            "SELECT identity, count(*) FROM calls JOIN models ON models.id = calls.model "
            "GROUP BY identity ORDER BY identity"
        )
        [seconds] = connection.execute("SELECT total(seconds) FROM calls").fetchone()
        return CacheStats(
            path=self._path,
            entries=dict(kinds.fetchall()),
            models=tuple(ModelEntries(*row) for row in models),
            size_bytes=self._size(),
            seconds=seconds,
        )

    def _prune(
        self, connection: sqlite3.Connection, older_than_days: float | None, digest: str
    ) -> int:
        conditions: list[str] = []
        values: list[float] = []
        with _transaction(connection):
            if older_than_days is not None:
                conditions.append("last_used < ?")
                values.append(self._clock() - older_than_days * DAY_S)
            if digest:
                conditions.append("model = ?")
                values.append(_model_id(connection, digest))
            delete = f"DELETE FROM calls WHERE {' AND '.join(conditions)}"
            n_entries = connection.execute(delete, values).rowcount
            connection.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM calls)")
        connection.execute("VACUUM")
        return n_entries

    def _size(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self._path.stat().st_size
        return 0

    def _do(self, work: Work[ResultType]) -> ResultType:
        """Run ``work`` on a connection; once more on a fresh file if this one is corrupt."""
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as error:
            # Operational errors (locked, full, read-only) are a class of their own below this.
            _set_aside(self._path, error)
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as error:
            raise ArgoError(f"{self._path}: cannot be used ({error}); delete it") from None

    def _attempt(self, work: Work[ResultType]) -> ResultType:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(_connect(self._path)) as connection:
                _prepare(connection, self._path)
                return work(connection)
        except (OSError, sqlite3.OperationalError) as error:
            raise ArgoError(
                f"{self._path}: the cache of model calls cannot be used ({error}); free disk "
                "space, make it writable, or choose another cache_dir"
            ) from None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables of a new file; refuse one of another version."""
    version = _version(connection)
    if version == 0:
        # SQLite does not wait where two connections switch one file to a write-ahead log.
        with _lock(path):
            version = _version(connection) or _create(connection, path)
    if version != SCHEMA_VERSION:
        raise ArgoError(
            f"{path}: has schema version {version}, this argo_ml reads {SCHEMA_VERSION}; "
            "use the newer argo_ml that wrote it, or another cache_dir"
        )


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _create(connection: sqlite3.Connection, path: Path) -> int:
    [n_tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if n_tables:
        raise ArgoError(f"{path}: is a database of something else; move it away")
    connection.execute("PRAGMA journal_mode = WAL")
    with _transaction(connection):
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return SCHEMA_VERSION


def _model_id(connection: sqlite3.Connection, digest: str) -> int:
    for model_id, identity in connection.execute("SELECT id, identity FROM models"):
        if model_digest(identity) == digest:
            return int(model_id)
    raise ConfigError(f"model_digest={digest}: no such model; argo-ml cache stats lists them")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # SQLite has already rolled back after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _set_aside(path: Path, reason: sqlite3.DatabaseError) -> None:
    """Rename a corrupt file and its logs, unless another process has done so already."""
    with _lock(path):
        if not _is_corrupt(path):
            return
        target = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{suffix}", f"{target}{suffix}")
        logger.warning("%s is corrupt (%s); set aside as %s", path, reason, target.name)


def _is_corrupt(path: Path) -> bool:
    try:
        with contextlib.closing(_connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)])
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(f"{path.name}.lock"))


def _chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _KEYS_PER_STATEMENT):
        yield list(keys[start : start + _KEYS_PER_STATEMENT])


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
