"""Who has executed how many calls: running totals by payer, which outlive the calls themselves.

A call is stored once however often it was executed. So every execution is added to its payer's
total in the transaction that stores the call, and who executed one that was there already is kept
as a repetition. Before calls are executed they are entered as unsettled, and what still is when
their process has died is how many may have been executed without an answer being kept.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from argo_ml.models.cache.entries import (
    COLUMNS,
    Entry,
    from_row,
    payment_checksum,
    repetition_checksum,
)
from argo_ml.models.cache.summaries import Payment, model_digest

SCHEMA = """
CREATE TABLE payments (
    payer TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    executed INTEGER NOT NULL,
    unsettled INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (payer, model, kind)
) WITHOUT ROWID;
CREATE TABLE repetitions (
    payer TEXT NOT NULL,
    key TEXT NOT NULL,
    created REAL NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (payer, key)
) WITHOUT ROWID;
"""
"""``model`` is a `model_digest`: a ledger outlives the row of its model."""
PAYMENT_COLUMNS = (
    "payer, model, kind, executed, unsettled, prompt_tokens, output_tokens, seconds, checksum"
)
REPETITION_COLUMNS = "payer, key, created, checksum"
_OWN_ID = "ledger"
"""The kind of the row whose payer is the ledger's own id."""
_OF_ACCOUNT = "payer = ? AND model = ? AND kind = ?"
_OF_RUN = "(payer = ? OR (payer > ? || '/' AND payer < ? || '0'))"
"""A run and what is billed to parts of it, as to the trials of a study; 0 comes after the slash."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a total is of."""

    payer: str
    model: str
    kind: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Calls that are being executed."""

    account: Account
    n_calls: int


def begin(connection: sqlite3.Connection, begun: Begun) -> None:
    """Enter calls as unsettled; the transaction is the caller's."""
    _add(connection, begun.account, Payment(unsettled=begun.n_calls))


def settle(connection: sqlite3.Connection, begun: Begun) -> None:
    """They have been executed and are stored, or the model has said that they failed."""
    _add(connection, begun.account, Payment(unsettled=-begun.n_calls))


def enter(connection: sqlite3.Connection, identity: str, entries: Sequence[Entry]) -> None:
    """Add executed calls of one model to the totals of who executed them."""
    for account, payment in _totals((identity, entry) for entry in entries).items():
        _add(connection, account, payment)


def own_id(connection: sqlite3.Connection) -> str:
    """What tells this ledger from all others but copies of its file, on whatever machine it is
    read: drawn when it is first asked for, and kept as totals are. The transaction is the
    caller's."""
    known = [account.payer for account, _ in payments(connection) if account.kind == _OWN_ID]
    drawn = known[0] if known else secrets.token_hex(8)
    if not known:
        _put(connection, Account(drawn, "", _OWN_ID), Payment())
    return drawn


def enter_repetitions(connection: sqlite3.Connection, entries: Iterable[Entry], now: float) -> None:
    """Keep who executed calls that were stored already."""
    connection.executemany(
        f"INSERT OR IGNORE INTO repetitions ({REPETITION_COLUMNS}) VALUES (?, ?, ?, ?)",
        [
            (entry.billed_to, entry.key, now, repetition_checksum(entry.billed_to, entry.key))
            for entry in entries
        ],
    )


def repeated_by(connection: sqlite3.Connection, payer: str) -> frozenset[str]:
    """The keys of the calls that the payer executed when they were stored already."""
    query = "SELECT key, checksum FROM repetitions WHERE payer = ?"
    rows = connection.execute(query, (payer,)).fetchall()
    return frozenset(
        key.decode() for key, checksum in rows if repetition_checksum(payer, key) == checksum
    )


def payments(connection: sqlite3.Connection, run_id: str = "") -> Iterator[tuple[Account, Payment]]:
    """All totals, or those of a run and its parts; what does not match its checksum is left out."""
    query = f"SELECT {PAYMENT_COLUMNS} FROM payments"
    of_run = (f"{query} WHERE {_OF_RUN}", (run_id,) * 3)
    for row in connection.execute(*of_run) if run_id else connection.execute(query):
        entered = payment_of(row)
        if entered is not None:
            yield entered


def mend(connection: sqlite3.Connection) -> int:
    """Remove totals that do not match their checksums, and bring those that say less than the
    stored calls up to them; returns how many were wrong."""
    n_removed, n_recounted = _remove_damaged(connection), 0
    entered = dict(payments(connection))
    for account, counted in _counted(connection).items():
        known = entered.get(account)
        if known is None or known.executed < counted.executed:
            unsettled = known.unsettled if known else 0
            _put(connection, account, replace(counted, unsettled=unsettled))
            n_recounted += 1
    return max(n_removed, n_recounted)


def forget_pruned(connection: sqlite3.Connection) -> None:
    """Repetitions of calls that are gone say nothing; the totals stay."""
    connection.execute("DELETE FROM repetitions WHERE key NOT IN (SELECT key FROM calls)")


def payment_of(row: Sequence[Any]) -> tuple[Account, Payment] | None:
    """The total of a row of `PAYMENT_COLUMNS`; None where it is not what was stored."""
    payer, model, kind, *numbers, checksum = row
    if payment_checksum(*row[:-1]) != checksum:
        return None
    return Account(payer.decode(), model.decode(), kind.decode()), Payment(*numbers)


def put_salvaged(connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        entered = payment_of(row)
        if entered is not None:
            _put(connection, *entered)


def _add(connection: sqlite3.Connection, account: Account, payment: Payment) -> None:
    key = (account.payer, account.model, account.kind)
    query = f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE {_OF_ACCOUNT}"
    rows = connection.execute(query, key).fetchall()
    entered = payment_of(rows[0]) if rows else (account, Payment())
    before = entered[1] if entered else _counted(connection).get(account, Payment())
    _put(connection, account, before + payment)


def _put(connection: sqlite3.Connection, account: Account, payment: Payment) -> None:
    texts = (account.payer, account.model, account.kind)
    numbers = tuple(getattr(payment, field.name) for field in fields(payment))
    checksum = payment_checksum(*(text.encode() for text in texts), *numbers)
    connection.execute(
        f"INSERT OR REPLACE INTO payments ({PAYMENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*texts, *numbers, checksum),
    )


def _remove_damaged(connection: sqlite3.Connection) -> int:
    totals = connection.execute(f"SELECT {PAYMENT_COLUMNS} FROM payments").fetchall()
    damaged = [row[:3] for row in totals if payment_of(row) is None]
    connection.executemany(
        f"DELETE FROM payments WHERE {_where('payer', 'model', 'kind')}", damaged
    )
    query = f"SELECT {REPETITION_COLUMNS} FROM repetitions"
    repeated = [
        (payer, key)
        for payer, key, _, checksum in connection.execute(query).fetchall()
        if repetition_checksum(payer, key) != checksum
    ]
    connection.executemany(f"DELETE FROM repetitions WHERE {_where('payer', 'key')}", repeated)
    return len(damaged) + len(repeated)


def _where(*columns: str) -> str:
    """Finds a row by its bytes: a damaged text need not be UTF-8, nor a text at all."""
    return " AND ".join(f"CAST({column} AS BLOB) IS CAST(? AS BLOB)" for column in columns)


def _counted(connection: sqlite3.Connection) -> dict[Account, Payment]:
    """The totals of the calls that are stored, and of their repetitions."""
    identities = dict(connection.execute("SELECT id, identity FROM models").fetchall())
    rows = connection.execute(f"SELECT {COLUMNS} FROM calls").fetchall()
    stored: dict[str, tuple[str, Entry]] = {}
    for row in rows:
        entry = from_row(row)
        identity = identities.get(row[1])
        if entry is not None and isinstance(identity, bytes):
            stored[entry.key] = (identity.decode(errors="replace"), entry)
    query = f"SELECT {REPETITION_COLUMNS} FROM repetitions"
    repeated = [
        (stored[key.decode()][0], replace(stored[key.decode()][1], billed_to=payer.decode()))
        for payer, key, _, checksum in connection.execute(query)
        if repetition_checksum(payer, key) == checksum and key.decode() in stored
    ]
    return _totals([*stored.values(), *repeated])


def _totals(executed: Iterable[tuple[str, Entry]]) -> dict[Account, Payment]:
    """Totals of calls, each with the identity of its model."""
    totals: dict[Account, Payment] = {}
    for identity, entry in executed:
        account = Account(entry.billed_to, model_digest(identity), entry.kind)
        totals[account] = totals.get(account, Payment()) + _payment(entry)
    return totals


def _payment(entry: Entry) -> Payment:
    tokens = json.loads(entry.output_tokens)
    n_output = sum(tokens) if isinstance(tokens, list) else tokens
    return Payment(1, 0, entry.prompt_tokens, n_output, entry.seconds)
