"""Ports and cache folders that tests of several folders need."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def linked_cache(shared: Path, folder: Path) -> Path:
    """Make ``folder`` a cache of its own, but for models, indexes and the atlas of ``shared``."""
    folder.mkdir()
    for name in ("models", "indexes", "atlas"):
        (folder / name).symlink_to(shared / name)
    return folder


@contextlib.contextmanager
def at_work_in(folder: Path, warm_cache: Path, empty_store: Path) -> Iterator[dict[str, str]]:
    """The parameters of a cache and a store of its own in ``folder``, which is the current one."""
    shutil.copyfile(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield {
            "cache_dir": str(linked_cache(warm_cache, folder / "cache")),
            "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        }


def copy_with_store(folder: Path, copy: Path) -> None:
    """Copy a folder that holds a store, whose artifacts are those of the copy then."""
    shutil.copytree(folder, copy, symlinks=True)
    places = (("runs", "artifact_uri"), ("experiments", "artifact_location"))
    with contextlib.closing(sqlite3.connect(copy / "mlflow.db")) as database, database:
        for table, column in places:
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(moved, (str(folder), str(copy)))


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests that the processes which run them share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
