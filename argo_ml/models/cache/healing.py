"""A damaged file of calls set aside, and a new one begun with what could be read of it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from argo_ml.models.cache import ledger
from argo_ml.models.cache.database import connect, create, create_private, lock, transaction
from argo_ml.models.cache.entries import COLUMNS, model_checksum
from argo_ml.models.cache.salvage import Salvaged, SalvagedCall, salvage

logger = logging.getLogger(__name__)

FileIdentity = tuple[int, int]


def file_identity(path: Path) -> FileIdentity:
    """Tells a file from another that has taken its place."""
    status = path.stat()
    return status.st_dev, status.st_ino


def heal(path: Path, damaged: FileIdentity, reason: str) -> None:
    """Put a sound file in the place of ``damaged``, unless another process has done so already.

    Raises `OSError` and `sqlite3.OperationalError`, and leaves the file where it is, where the new
    one cannot be written.
    """
    with lock(path):
        if path.exists() and file_identity(path) != damaged:
            return
        salvaged = salvage(path)
        healed = path.with_name(f"{path.name}.healing")
        try:
            n_calls = _write(healed, salvaged)
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(path, healed)
            aside = _set_aside(path)
            os.replace(healed, path)
        finally:
            _remove(healed)
    logger.warning(
        "%s is damaged (%s); set aside as %s, and %d calls read from it go on in a new file",
        path,
        reason,
        aside.name,
        n_calls,
    )


def _write(path: Path, salvaged: Salvaged) -> int:
    _remove(path)
    create_private(path)
    # A file has rows of one version; of these a damaged one could look like the other's.
    calls = salvaged.calls or salvaged.unchecked
    models = salvaged.models if salvaged.calls else salvaged.unchecked_models
    with closing(connect(path)) as connection:
        create(connection)
        with transaction(connection):
            connection.executemany(
                "INSERT OR IGNORE INTO models (id, identity, checksum) VALUES (?, ?, ?)",
                _model_rows(calls, models),
            )
            connection.executemany(
                f"INSERT OR IGNORE INTO calls ({COLUMNS}, created, last_used) "
                f"VALUES ({', '.join('?' * 11)})",
                [_values(call) for call in calls.values()],
            )
            _write_ledger(connection, salvaged)
    return len(calls)


def _write_ledger(connection: sqlite3.Connection, salvaged: Salvaged) -> None:
    """What could be read of it, and no less than the calls say."""
    ledger.put_salvaged(connection, salvaged.payments.values())
    connection.executemany(
        f"INSERT OR IGNORE INTO repetitions ({ledger.REPETITION_COLUMNS}) VALUES (?, ?, ?, ?)",
        [
            (payer.decode(), key.decode(), _moment(created), checksum)
            for payer, key, created, checksum in salvaged.repetitions
        ],
    )
    ledger.mend(connection)


def _moment(value: object) -> object:
    """A time that was stored; it has no checksum, and damaged it is now."""
    return value if isinstance(value, (int, float)) else time.time()


def _model_rows(
    calls: dict[bytes, SalvagedCall], models: dict[int, bytes]
) -> list[tuple[int, str, int]]:
    ids = sorted({call.row[1] for call in calls.values()} | models.keys())
    identities = {key: models.get(key, b"unknown model %d (damaged)" % key) for key in ids}
    return [
        (key, identity.decode(errors="replace"), model_checksum(key, identity))
        for key, identity in identities.items()
    ]


def _values(call: SalvagedCall) -> list[object]:
    texts = [value.decode() if isinstance(value, bytes) else value for value in call.row]
    return [*texts, *map(_moment, (call.created, call.last_used))]


def _set_aside(path: Path) -> Path:
    """Give a file a second name, and its logs another, so that its own is never without a file."""
    stem = f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    try:
        os.link(path, aside)
    except OSError:
        # Some file systems have no second names.
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, aside)
    return aside


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")
