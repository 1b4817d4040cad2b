"""Where model calls are kept: one SQLite file that many processes may use at once."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from argo_ml.errors import ArgoError, ConfigError, one_line
from argo_ml.models.cache import ledger
from argo_ml.models.cache.database import (
    SCHEMA_VERSION,
    connect,
    create_private,
    integrity_problem,
    obstacle,
    prepare,
    schema_version,
    transaction,
)
from argo_ml.models.cache.entries import COLUMNS, Entry, from_row, model_checksum, to_row
from argo_ml.models.cache.healing import FileIdentity, file_identity, heal
from argo_ml.models.cache.kept_connection import (
    close_kept,
    keeping_connection,
    kept_connection,
)
from argo_ml.models.cache.ledger import Account, Begun
from argo_ml.models.cache.summaries import (
    CacheStats,
    Checked,
    Ledger,
    ModelEntries,
    Payment,
    Pruned,
    model_digest,
)

__all__ = ["CacheStats", "CallCache", "Checked", "Entry", "Payment", "Pruned", "model_digest"]

ResultType = TypeVar("ResultType")
Work = Callable[[sqlite3.Connection], ResultType]
logger = logging.getLogger(__name__)

DAY_S = 86_400.0
EMBED = "embed"
"""The kind of a query's vector, which is no call of a language model."""
GENERATE, SCORE = "generate", "score"
"""Kinds of calls of a language model: what somebody pays for."""
_KEYS_PER_STATEMENT = 500
_ATTEMPTS = 3


class CallCache:
    """Finished model calls by key.

    Every operation is one short transaction, on a connection of its own or the thread's kept one,
    so any number of threads and processes may share a file. With a write-ahead log and
    ``synchronous=NORMAL`` a killed process loses nothing it has written; a power cut may lose the
    last calls, never the file.
    A call that does not match its checksum counts as one that was never stored, and `n_dropped`
    counts those met. A damaged file is set aside and a new one begun with what can be read of it.
    Everything else that goes wrong raises `ArgoError`.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self.n_dropped = 0
        self._healed: list[str] = []
        self._do(lambda connection: None)

    def kept_open(self) -> AbstractContextManager[None]:
        """Let this thread keep its connection meanwhile: a look-up takes a tenth of the time."""
        return keeping_connection(self._path)

    def find(self, keys: Iterable[str], payer: str = "") -> dict[str, Entry]:
        """The entries that exist; keys without one are left out.

        What ``payer`` has executed is billed to it, also where another process was first.
        """
        distinct = list(dict.fromkeys(keys))
        if not distinct:
            return {}
        return self._do(lambda connection: self._find(connection, distinct, payer))

    def begin(self, identity: str, payer: str, kind: str, n_calls: int) -> Begun:
        """Enter calls that are about to be executed into the ledger."""
        begun = Begun(Account(payer, model_digest(identity), kind), n_calls)

        def enter(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                ledger.begin(connection, begun)

        self._do(enter)
        return begun

    def add(
        self, identity: str, entries: Sequence[Entry], begun: Begun | None = None
    ) -> dict[str, Entry]:
        """Store calls of one model, enter them into the ledger, and return what is stored under
        their keys, billed to who has just executed it.

        Where another process was first its output stays and is returned. ``begun`` is what the
        calls were begun as; those that are not among ``entries`` have failed.
        """
        return self._do(lambda connection: self._add(connection, identity, entries, begun))

    def paid_by(self, run_id: str, parts_only: bool = False) -> Payment:
        """What was executed of language models for a run and its parts, or for these alone."""

        def total(connection: sqlite3.Connection) -> Payment:
            listed = [
                paid
                for account, paid in ledger.payments(connection, run_id)
                if account.kind in (GENERATE, SCORE)
                and not (parts_only and account.payer == run_id)
            ]
            return sum(listed, Payment())

        return self._do(total)

    def ledger(self) -> Ledger:
        """Who has executed what, the parts of a run together."""
        return self._do(self._ledger)

    def ledger_id(self) -> str:
        """What tells its ledger from all others."""

        def drawn(connection: sqlite3.Connection) -> str:
            with transaction(connection):
                return ledger.own_id(connection)

        return self._do(drawn)

    def stats(self) -> CacheStats:
        return self._do(self._stats)

    def check(self) -> Checked:
        """Look through the whole file, remove what does not match, and mend what is damaged."""
        problem = self._do(_problem)
        if problem:
            self._heal(file_identity(self._path), problem)
        self._do(self._drop_damaged)
        n_recounted = self._do(_mend_ledger)
        n_entries = self.stats().n_entries
        healed = "; ".join(self._healed)
        return Checked(self._path, n_entries, self.n_dropped, healed, n_recounted)

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

    def remove(self, keys: Sequence[str]) -> None:
        """Remove calls of which nobody can use what came; what they took stays in the ledger."""
        if keys:
            self._do(lambda connection: self._remove(connection, keys))

    def _find(
        self, connection: sqlite3.Connection, keys: Sequence[str], payer: str = ""
    ) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        stale: list[str] = []
        damaged: list[str] = []
        now = self._clock()
        for chunk in _chunks(keys):
            query = f"SELECT {COLUMNS}, last_used FROM calls WHERE key IN ({_marks(chunk)})"
            for *row, last_used in connection.execute(query, chunk):
                entry = from_row(row)
                if entry is None:
                    damaged.append(row[0].decode())
                    continue
                entries[entry.key] = entry
                # Written once a day at most, so that looking up stays cheap.
                if not isinstance(last_used, float) or now - last_used > DAY_S:
                    stale.append(entry.key)
        for chunk in _chunks(stale):
            update = f"UPDATE calls SET last_used = ? WHERE key IN ({_marks(chunk)})"
            connection.execute(update, (now, *chunk))
        if damaged:
            self._drop(connection, damaged)
        if payer and any(entry.billed_to != payer for entry in entries.values()):
            for key in ledger.repeated_by(connection, payer) & entries.keys():
                entries[key] = replace(entries[key], billed_to=payer)
        return entries

    def _add(
        self,
        connection: sqlite3.Connection,
        identity: str,
        entries: Sequence[Entry],
        begun: Begun | None,
    ) -> dict[str, Entry]:
        keys = [entry.key for entry in entries]
        with transaction(connection):
            # A damaged call in the place of one is dropped when it is read.
            stored = self._find(connection, keys)
            self._insert(connection, identity, [e for e in entries if e.key not in stored])
            ledger.enter(connection, identity, entries)
            repeated = [entry for entry in entries if entry.key in stored]
            ledger.enter_repetitions(connection, repeated, self._clock())
            if begun is not None:
                ledger.settle(connection, begun)
            stored = self._find(connection, keys)
        if len(stored) < len(set(keys)):
            raise sqlite3.DatabaseError("what was stored does not come back")
        own = {entry.key: entry.billed_to for entry in entries}
        return {key: replace(entry, billed_to=own[key]) for key, entry in stored.items()}

    def _insert(
        self, connection: sqlite3.Connection, identity: str, entries: Sequence[Entry]
    ) -> None:
        if not entries:
            return
        now = self._clock()
        model = _model_id(connection, identity)
        connection.executemany(
            f"INSERT OR IGNORE INTO calls ({COLUMNS}, created, last_used) "
            f"VALUES ({_marks(range(11))})",
            [(*to_row(model, entry), now, now) for entry in entries],
        )

    def _remove(self, connection: sqlite3.Connection, keys: Sequence[str]) -> None:
        with transaction(connection):
            for chunk in _chunks(keys):
                connection.execute(f"DELETE FROM calls WHERE key IN ({_marks(chunk)})", chunk)
            ledger.forget_pruned(connection)

    def _drop(self, connection: sqlite3.Connection, keys: Sequence[str]) -> None:
        """Delete what does not match its checksum, unless another process has replaced it."""
        query = f"SELECT {COLUMNS} FROM calls WHERE key = ?"
        with transaction(connection):
            for key in keys:
                rows = connection.execute(query, (key,)).fetchall()
                if not all(map(from_row, rows)):
                    connection.execute("DELETE FROM calls WHERE key = ?", (key,))
                    self._count_dropped()

    def _count_dropped(self) -> None:
        self.n_dropped += 1
        if self.n_dropped == 1:
            logger.warning(
                "%s: a stored call does not match its checksum and is executed again, as are "
                "others like it; argo-ml cache check looks through all of them",
                self._path,
            )

    def _drop_damaged(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(f"SELECT {COLUMNS} FROM calls")
        damaged = [row[0] for row in rows if from_row(row) is None]
        if damaged:
            self._drop(connection, [_text(key) for key in damaged])

    def _stats(self, connection: sqlite3.Connection) -> CacheStats:
        kinds: Counter[str] = Counter()
        calls: Counter[int] = Counter()
        seconds, n_damaged = 0.0, 0
        for row in connection.execute(f"SELECT {COLUMNS} FROM calls"):
            entry = from_row(row)
            if entry is None:
                n_damaged += 1
                continue
            kinds[entry.kind] += 1
            calls[row[1]] += 1
            seconds += entry.seconds
        names = dict(connection.execute("SELECT id, identity FROM models").fetchall())
        by_name = sorted((_text(names.get(model, "unknown")), calls[model]) for model in calls)
        return CacheStats(
            path=self._path,
            entries=dict(kinds),
            models=tuple(ModelEntries(*row) for row in by_name),
            size_bytes=self._size(),
            seconds=seconds,
            n_damaged=n_damaged,
        )

    def _prune(
        self, connection: sqlite3.Connection, older_than_days: float | None, digest: str
    ) -> int:
        conditions: list[str] = []
        values: list[float] = []
        with transaction(connection):
            if older_than_days is not None:
                conditions.append("last_used < ?")
                values.append(self._clock() - older_than_days * DAY_S)
            if digest:
                conditions.append("model = ?")
                values.append(_model_of_digest(connection, digest))
            delete = f"DELETE FROM calls WHERE {' AND '.join(conditions)}"
            n_entries = connection.execute(delete, values).rowcount
            connection.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM calls)")
            ledger.forget_pruned(connection)
        connection.execute("VACUUM")
        return n_entries

    def _ledger(self, connection: sqlite3.Connection) -> Ledger:
        totals: dict[str, Payment] = {}
        for account, payment in ledger.payments(connection):
            if account.kind in (GENERATE, SCORE):
                run_id = account.payer.partition("/")[0]
                totals[run_id] = totals.get(run_id, Payment()) + payment
        return Ledger(self._path, totals)

    def _size(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self._path.stat().st_size
        return 0

    def _do(self, work: Work[ResultType]) -> ResultType:
        """Run ``work`` on a connection; again on a healed file if this one is damaged."""
        for _ in range(_ATTEMPTS):
            try:
                if not self._path.exists():
                    create_private(self._path)
                used = file_identity(self._path)
            except OSError as error:
                raise self._unusable(error) from None
            try:
                return self._attempt(work)
            except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
                # SQLite quotes damaged names in what it says, as they are.
                reason = self._damage(error)
            self._heal(used, reason)
        raise ArgoError(f"{self._path}: cannot be used ({reason}); move it away")

    def _attempt(self, work: Work[ResultType]) -> ResultType:
        kept = kept_connection(self._path)
        if kept is not None:
            try:
                return work(kept)
            except BaseException:
                close_kept(self._path)
                raise
        with closing(connect(self._path)) as connection:
            if schema_version(connection) == SCHEMA_VERSION:
                return work(connection)
        prepare(self._path)
        with closing(connect(self._path)) as connection:
            return work(connection)

    def _heal(self, damaged: FileIdentity, reason: str) -> None:
        try:
            heal(self._path, damaged, reason)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        self._healed.append(reason)

    def _damage(self, error: Exception) -> str:
        """What is damaged; raises `ArgoError` where something else is in the way."""
        hindrance = obstacle(error, self._path)
        if hindrance:
            raise hindrance from None
        return one_line(error)

    def _unusable(self, error: Exception) -> ArgoError:
        return obstacle(error, self._path) or ArgoError(
            f"{self._path}: is damaged and cannot be written anew ({one_line(error)}); move it away"
        )


def _problem(connection: sqlite3.Connection) -> str:
    """What is wrong with the file as a whole, empty if nothing."""
    rows = connection.execute("SELECT id, identity, checksum FROM models")
    if any(model_checksum(model, identity) != checksum for model, identity, checksum in rows):
        return "the name of a model does not match its checksum"
    return integrity_problem(connection)


def _mend_ledger(connection: sqlite3.Connection) -> int:
    with transaction(connection):
        return ledger.mend(connection)


def _model_id(connection: sqlite3.Connection, identity: str) -> int:
    """The id of a model's row, which is made where there is none."""
    select = "SELECT id FROM models WHERE identity = ?"
    for (model,) in connection.execute(select, (identity,)):
        return int(model)
    insert = "INSERT INTO models (identity) VALUES (?)"
    model = connection.execute(insert, (identity,)).lastrowid or 0
    update = "UPDATE models SET checksum = ? WHERE id = ?"
    connection.execute(update, (model_checksum(model, identity.encode()), model))
    return model


def _model_of_digest(connection: sqlite3.Connection, digest: str) -> int:
    for model, identity in connection.execute("SELECT id, identity FROM models"):
        if model_digest(_text(identity)) == digest:
            return int(model)
    raise ConfigError(f"model_digest={digest}: no such model; argo-ml cache stats lists them")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _KEYS_PER_STATEMENT):
        yield list(keys[start : start + _KEYS_PER_STATEMENT])


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
