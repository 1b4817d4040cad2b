"""Databases through SQLAlchemy, MLflow's and Optuna's: all wait as long for a lock."""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from argo_ml.waiting import database_timeout_s

_ITS_OWN = "PRAGMA busy_timeout"
"""What MLflow says at the beginning of every session: 20 seconds."""


@cache
def wait_patiently() -> None:
    """Let SQLite databases that are opened from now on be waited for by `database_timeout_s`.

    MLflow then has nothing to say of its own about a failure: it logs a traceback with all values
    of the statement, and whoever called it says in a line what it was.
    """
    event.listen(Engine, "connect", _on_connect)
    event.listen(Engine, "before_cursor_execute", _on_statement, retval=True)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL + 1)


def _pragma() -> str:
    return f"{_ITS_OWN} = {int(1000 * database_timeout_s())}"


def _on_connect(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(_pragma())


def _on_statement(
    _connection: object,
    _cursor: object,
    statement: str,
    parameters: Any,
    _context: object,
    _executemany: bool,
) -> tuple[str, Any]:
    return (_pragma() if statement.startswith(_ITS_OWN) else statement), parameters
