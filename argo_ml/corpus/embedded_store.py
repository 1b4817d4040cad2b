"""Chroma inside this process: a folder per collection, moved into place when it is whole.

A folder whose files are not those that were written is built anew: everything in it is derived from
the documents.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

from chromadb import Collection, PersistentClient
from chromadb.api.client import Client
from chromadb.errors import ChromaError

from argo_ml.corpus.index import (
    IndexContent,
    OnEmbedded,
    chroma_settings,
    create,
    fill,
    incompleteness,
    unwritable,
    writer_lock,
)
from argo_ml.corpus.index_digests import DATABASE, index_problem, seal, seal_unchanged
from argo_ml.errors import CorpusIndexError, one_line
from argo_ml.locks import HeldError

logger = logging.getLogger(__name__)

BUILDING_PREFIX = ".building-"
LOCK_TIMEOUT_S = 5.0
FULL = ("full", "No space", "disk I/O error")
"""What SQLite and Chroma say where they cannot write what they write on opening."""


class EmbeddedStore:
    """Collections under ``folder``; two processes never write to the same one's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problems: dict[str, str] = {}
        """What is wrong with damaged collections, by name."""

    def find(self, name: str, n_passages: int) -> Collection | None:
        path = self._folder / name
        if not path.is_dir():
            return None
        _check_free(path)
        problem = index_problem(path)
        if problem:
            self._problems[name] = problem
            return None
        with _explained(path):
            client = _open(path)
            try:
                collection = client.get_collection(name, embedding_function=None)
                problem = incompleteness(collection, n_passages)
            except ChromaError:
                client.close()
                raise
            if not problem:
                seal_unchanged(path)
                return collection
        client.close()
        self._problems[name] = problem
        return None

    def build(self, name: str, content: IndexContent, on_progress: OnEmbedded) -> Collection:
        """The caller holds the collection's writer lock."""
        path = self._folder / name
        try:
            self._remove_left_over(name)
            with tempfile.TemporaryDirectory(
                prefix=f"{BUILDING_PREFIX}{name}-", dir=self._folder, ignore_cleanup_errors=True
            ) as temporary:
                whole = Path(temporary) / "index"
                _build_in(whole, name, content, on_progress)
                self._remove_damaged(path)
                os.replace(whole, path)
        except OSError as error:
            raise unwritable(self._folder, error) from None
        collection = self.find(name, len(content.passages))
        if collection is None:
            raise _damaged(path, self._problems.get(name, "it was removed while in use"))
        return collection

    def _remove_damaged(self, path: Path) -> None:
        if path.exists():
            reason = self._problems.get(path.name, "not whole")
            logger.warning("%s: this index was damaged (%s) and is built anew", path, reason)
            shutil.rmtree(path)

    def _remove_left_over(self, name: str) -> None:
        """Delete what killed builders left; a live one holds the lock of its collection."""
        for path in self._folder.glob(f"{BUILDING_PREFIX}*"):
            owner = path.name.removeprefix(BUILDING_PREFIX).rpartition("-")[0]
            if owner == name:
                shutil.rmtree(path, ignore_errors=True)
                continue
            lock = writer_lock(self._folder, owner)
            with suppress(HeldError), lock.held_at_once():
                shutil.rmtree(path, ignore_errors=True)


def _check_free(path: Path) -> None:
    """Chroma writes to an index when it opens it, and waits for ever where it is locked."""
    database = path / DATABASE
    if not database.is_file():
        return
    if not os.access(path, os.W_OK) or not os.access(database, os.W_OK):
        raise CorpusIndexError(
            f"{path}: Chroma must be able to write to an index; make this folder writable or "
            "choose another cache_dir"
        )
    try:
        with closing(sqlite3.connect(database, LOCK_TIMEOUT_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        # Damage is looked for in a moment.
        if "locked" in str(error):
            raise CorpusIndexError(
                f"{path}: another program keeps this index locked; close it and run again"
            ) from None


_OPENED: defaultdict[Path, list[int]] = defaultdict(list)
"""The databases that were opened at a path, by their inodes; 0 is one that is to be made."""


def _open(path: Path) -> Client:
    client = PersistentClient(path=_spelled(path), settings=chroma_settings())
    # Its declared type leaves out how to close it.
    return cast(Client, client)


def _spelled(path: Path) -> str:
    """A spelling of the path that no other database was opened by.

    Chroma gives all clients of one spelling the same open files, also where a folder was removed
    and made anew.
    """
    database, inodes = path / DATABASE, _OPENED[path]
    inode = database.stat().st_ino if database.exists() else 0
    if inode not in inodes:
        inodes.append(inode)
    return f"{path}{'/.' * inodes.index(inode)}"


def _build_in(path: Path, name: str, content: IndexContent, on_progress: OnEmbedded) -> None:
    path.mkdir()
    try:
        client = _open(path)
        try:
            collection = create(client, name, {"n_passages": len(content.passages)})
            fill(collection, content, client.get_max_batch_size(), on_progress)
        finally:
            client.close()
        seal(path)
    except (ChromaError, sqlite3.Error) as error:
        reason = one_line(error)
        raise CorpusIndexError(
            f"{path.parents[1]}: an index cannot be built there ({reason}); check the free space, "
            "or choose another cache_dir"
        ) from None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None
    except (ChromaError, sqlite3.Error) as error:
        reason = one_line(error)
        if any(said in reason for said in FULL):
            raise CorpusIndexError(
                f"{path}: this index cannot be opened ({reason}); free disk space, or choose "
                "another cache_dir"
            ) from None
        raise _damaged(path, reason) from None


def _damaged(path: Path, reason: str) -> CorpusIndexError:
    return CorpusIndexError(
        f"{path}: this index cannot be used ({reason}); delete that folder and run again"
    )
