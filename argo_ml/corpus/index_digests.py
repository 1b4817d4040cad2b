"""Whether the files of an index are those that were written, known before Chroma maps them.

Chroma believes its files: flipped bits of vectors are other hits, and a cut header ends the
process. It writes to its database whenever it opens one, so of that the tables are digested.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from argo_ml.models.digests import file_sha256, write_atomically

DATABASE = "chroma.sqlite3"
SEAL = "digests.json"
_STORED_VECTORS = "index_metadata.pickle"
"""Beside the files of vectors that Chroma reads; without it they are scratch space."""
_WRITTEN_ON_OPENING = frozenset({"acquire_write", "maintenance_log"})

_Stamp = list[int]
_Sealed = dict[str, tuple[str, _Stamp]]


def seal(path: Path) -> None:
    """Write the digests of a whole index into its folder. Raises `OSError` and `sqlite3.Error`."""
    _write(path, {name: (digest(), _stamp(file)) for name, file, digest in _parts(path)})


def seal_unchanged(path: Path) -> None:
    """Remember the times of files whose contents were checked just now.

    An index of an earlier argo_ml has no digests and gets those of the files as they are.
    """
    sealed = _read(path)
    if sealed is None:
        seal(path)
        return
    stamped = {name: (sealed[name][0], _stamp(file)) for name, file, _ in _parts(path)}
    if stamped != sealed:
        _write(path, stamped)


def index_problem(path: Path) -> str:
    """What is wrong with the files of an index, empty if nothing.

    A file is read only where its time or size has changed since it was checked last.
    """
    if not (path / DATABASE).is_file():
        return f"{DATABASE} is missing"
    if not (path / SEAL).exists():
        return _problem_of_unsealed(path)
    sealed = _read(path)
    if sealed is None:
        return f"{SEAL} is damaged"
    return _changed(path, sealed)


def _problem_of_unsealed(path: Path) -> str:
    try:
        _table_digest(path / DATABASE)
    except sqlite3.Error as error:
        return str(error)
    return ""


def _changed(path: Path, sealed: _Sealed) -> str:
    parts = list(_parts(path))
    missing = sealed.keys() - {name for name, _, _ in parts}
    if missing:
        return f"{min(missing)} is missing"
    for name, file, digest in parts:
        known, stamp = sealed.get(name, ("", []))
        try:
            if stamp != _stamp(file) and digest() != known:
                return f"{name} is damaged"
        except sqlite3.Error as error:
            return f"{name} is damaged ({error})"
    return ""


def _parts(path: Path) -> Iterator[tuple[str, Path, Callable[[], str]]]:
    """Name, file and digest of everything that decides what is found."""
    database = path / DATABASE
    yield DATABASE, database, partial(_table_digest, database)
    for folder in sorted(part for part in path.iterdir() if (part / _STORED_VECTORS).is_file()):
        for file in sorted(folder.iterdir()):
            yield f"{folder.name}/{file.name}", file, partial(file_sha256, file)


def _table_digest(database: Path) -> str:
    """Digest over the rows of all tables. Raises `sqlite3.Error` where SQLite finds damage."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = bytes
        [problem] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if problem != b"ok":
            raise sqlite3.DatabaseError(problem.decode(errors="replace"))
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
        for name, sql in connection.execute(query).fetchall():
            table = name.decode(errors="replace")
            if table in _WRITTEN_ON_OPENING:
                continue
            digest.update(name + b" " + sql)
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                digest.update(repr(row).encode())
    return digest.hexdigest()


def _stamp(file: Path) -> _Stamp:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _read(path: Path) -> _Sealed | None:
    """The digests of an index; None where there are none or they are damaged."""
    try:
        content = json.loads((path / SEAL).read_bytes())
        if content["checksum"] != _checksum(content["files"]):
            return None
        return {name: (digest, stamp) for name, (digest, stamp) in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _write(path: Path, sealed: _Sealed) -> None:
    files = {name: list(values) for name, values in sealed.items()}
    write_atomically(path / SEAL, json.dumps({"checksum": _checksum(files), "files": files}))


def _checksum(files: object) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
