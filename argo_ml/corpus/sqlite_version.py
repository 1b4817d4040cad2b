"""Whether Python's SQLite is new enough for Chroma, which ends in a traceback otherwise."""

from __future__ import annotations

import sqlite3

from argo_ml.errors import CorpusIndexError

_OLDEST = (3, 35)
OTHER_PYTHON = (
    "use a Python that brings its own (conda, uv python install 3.12), then make clean and "
    "make PYTHON=python3.12"
)


def sqlite_problem(version: str = sqlite3.sqlite_version) -> str:
    """What is wrong with SQLite of this version; empty where nothing is."""
    numbers = tuple(map(int, version.split(".")))
    if numbers >= _OLDEST:
        return ""
    return f"Python's SQLite is {version}, Chroma needs {'.'.join(map(str, _OLDEST))} or newer"


def check_sqlite() -> None:
    """Raises `CorpusIndexError` for one that Chroma refuses."""
    if problem := sqlite_problem():
        raise CorpusIndexError(f"{problem}; {OTHER_PYTHON}")
