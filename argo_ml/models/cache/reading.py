"""A cache file that may only be read: of another user, or on a file system that is mounted so."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from argo_ml.errors import ArgoError, one_line
from argo_ml.models.cache.store import CallCache
from argo_ml.models.cache.summaries import CacheStats, Ledger


def read_stats(path: Path) -> CacheStats:
    """What the cache at ``path`` holds. Raises `ArgoError`."""
    with _readable(path) as cache:
        return replace(cache.stats(), path=path)


def read_ledger(path: Path) -> Ledger:
    """Who has executed which of its calls. Raises `ArgoError`."""
    with _readable(path) as cache:
        return replace(cache.ledger(), path=path)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[CallCache]:
    """The cache itself, or a copy of it where reading it would have to write beside it."""
    if _is_writable(path):
        yield CallCache(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        try:
            _copy(path, copy)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            raise ArgoError(
                f"{path}: the cache of model calls cannot be read ({reason}); "
                "let its owner make it readable, or name another cache_dir"
            ) from None
        yield CallCache(copy)


def _is_writable(path: Path) -> bool:
    """Whether it, or one in its place, can be written; what it lacks can be made then."""
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _copy(path: Path, copy: Path) -> None:
    """As one moment has it where somebody has it open, else the file with its log."""
    if not os.access(path, os.R_OK):
        path.open("rb").close()
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.OperationalError:
        copy.unlink(missing_ok=True)
        for ending in ("", "-wal"):
            beside = path.with_name(path.name + ending)
            if beside.exists():
                shutil.copyfile(beside, copy.with_name(copy.name + ending))
