"""How long a database that another program keeps locked is waited for: one patience for all.

It comes from the environment, where commands put their parameter: worker processes have it, too.
"""

from __future__ import annotations

import contextlib
import os

DEFAULT_S = 120.0
"""As the parameter has it, which most commands take."""
PARAMETER = "database_timeout_s"
VARIABLE = f"ARGO_ML_{PARAMETER.upper()}"


def database_timeout_s() -> float:
    """Seconds; the default where the environment says none that is a number."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(os.environ.get(VARIABLE, "")))
    return DEFAULT_S


def set_database_timeout(seconds: float) -> None:
    """Let this process and those that it starts wait so long."""
    if seconds != database_timeout_s():
        os.environ[VARIABLE] = f"{seconds:g}"


def is_locked(message: str) -> bool:
    """Whether SQLite says that another program has the database."""
    return "database is locked" in message or "database table is locked" in message


def locked_advice() -> str:
    return (
        f"another program has kept it locked for {database_timeout_s():g} s ({PARAMETER}): close "
        "that, or wait for it longer, and run again"
    )
