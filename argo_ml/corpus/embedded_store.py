"""Chroma inside this process: a folder per collection, moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from chromadb import Collection, PersistentClient
from chromadb.api.client import Client
from chromadb.errors import ChromaError
from filelock import Timeout

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
from argo_ml.errors import CorpusIndexError, one_line

BUILDING_PREFIX = ".building-"
DATABASE = "chroma.sqlite3"
LOCK_TIMEOUT_S = 5.0


class EmbeddedStore:
    """Collections under ``folder``; two processes never write to the same one's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str, n_passages: int) -> Collection | None:
        path = self._folder / name
        if not path.is_dir():
            return None
        _check_free(path)
        with _explained(path):
            client = _open(path)
            try:
                collection = client.get_collection(name, embedding_function=None)
                problem = incompleteness(collection, n_passages)
            except ChromaError:
                client.close()
                raise
        if problem:
            client.close()
            raise _damaged(path, problem)
        return collection

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
                os.replace(whole, path)
        except OSError as error:
            raise unwritable(self._folder, error) from None
        collection = self.find(name, len(content.passages))
        if collection is None:
            raise _damaged(path, "it was removed while in use")
        return collection

    def _remove_left_over(self, name: str) -> None:
        """Delete what killed builders left; a live one holds the lock of its collection."""
        for path in self._folder.glob(f"{BUILDING_PREFIX}*"):
            owner = path.name.removeprefix(BUILDING_PREFIX).rpartition("-")[0]
            if owner == name:
                shutil.rmtree(path, ignore_errors=True)
                continue
            lock = writer_lock(self._folder, owner)
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(path, ignore_errors=True)
            except Timeout:
                continue


def _check_free(path: Path) -> None:
    """Chroma writes to an index when it opens it, and waits for ever where it is locked."""
    database = path / DATABASE
    if not database.is_file():
        raise _damaged(path, f"{DATABASE} is missing")
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
        reason = str(error)
        if "locked" in reason:
            raise CorpusIndexError(
                f"{path}: another program keeps this index locked; close it and run again"
            ) from None
        raise _damaged(path, reason) from None


def _open(path: Path) -> Client:
    client = PersistentClient(path=str(path), settings=chroma_settings())
    # Its declared type leaves out how to close it.
    return cast(Client, client)


def _build_in(path: Path, name: str, content: IndexContent, on_progress: OnEmbedded) -> None:
    path.mkdir()
    try:
        client = _open(path)
        try:
            collection = create(client, name, {"n_passages": len(content.passages)})
            fill(collection, content, client.get_max_batch_size(), on_progress)
        finally:
            client.close()
    except ChromaError as error:
        reason = one_line(error)
        raise CorpusIndexError(
            f"{path.parents[1]}: an index cannot be built there ({reason}); check the free space, "
            "or choose another cache_dir"
        ) from None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except ChromaError as error:
        raise _damaged(path, one_line(error)) from None


def _damaged(path: Path, reason: str) -> CorpusIndexError:
    return CorpusIndexError(
        f"{path}: this index cannot be used ({reason}); delete that folder and run again"
    )
