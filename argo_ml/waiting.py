"""How long a database that another program keeps locked is waited for: one patience for all.

It comes from the environment, where commands put their parameter: worker processes have it, too.
Model servers that are away have a patience of their own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

DEFAULT_S = 120.0
"""As the parameter has it, which most commands take."""
PARAMETER = "database_timeout_s"
VARIABLE = f"ARGO_ML_{PARAMETER.upper()}"
LAST_WORDS_S = 5.0
"""For recording how a run ended, where patience may have been spent on the same database before."""

SERVER_S = 300.0
"""For a model server that has answered before: it may be loading its model again."""

_at_most: ContextVar[float] = ContextVar("at_most", default=float("inf"))
_server_s: ContextVar[float] = ContextVar("server_s", default=SERVER_S)


def database_timeout_s() -> float:
    """Seconds; the default where the environment says none that is a number."""
    return min(_at_most.get(), _given_s())


def _given_s() -> float:
    with contextlib.suppress(ValueError):
        return max(0.0, float(os.environ.get(VARIABLE, "")))
    return DEFAULT_S


@contextlib.contextmanager
def short_patience(seconds: float = LAST_WORDS_S) -> Iterator[None]:
    """Let this thread wait no longer than ``seconds`` for databases meanwhile."""
    token = _at_most.set(seconds)
    try:
        yield
    finally:
        _at_most.reset(token)


def server_patience_s() -> float:
    """Seconds for model servers that are opened by this thread."""
    return _server_s.get()


@contextlib.contextmanager
def impatient_with_servers() -> Iterator[None]:
    """Let model servers that this thread opens meanwhile not be waited for: somebody else waits."""
    token = _server_s.set(0.0)
    try:
        yield
    finally:
        _server_s.reset(token)


def set_database_timeout(seconds: float) -> None:
    """Let this process and those that it starts wait so long."""
    if seconds != database_timeout_s():
        os.environ[VARIABLE] = f"{seconds:g}"


def is_locked(message: str) -> bool:
    """Whether SQLite says that another program has the database."""
    return "database is locked" in message or "database table is locked" in message


def locked_advice() -> str:
    return (
        f"another program has kept it locked for {_given_s():g} s ({PARAMETER}): close "
        "that, or wait for it longer, and run again"
    )


def is_locked_advice(message: str) -> bool:
    """Whether a message says that a database stayed locked until patience ended."""
    return locked_advice() in message
