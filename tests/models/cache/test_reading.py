"""A cache of somebody else, which may be read and not written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from builders import workers

from argo_ml.errors import ArgoError
from argo_ml.models.cache.database import connect
from argo_ml.models.cache.entries import Entry
from argo_ml.models.cache.reading import read_ledger, read_stats
from argo_ml.models.cache.store import CallCache

pytestmark = pytest.mark.slow
NOBODY = 65534


@pytest.fixture
def path() -> Iterator[Path]:
    """A file with one call in a folder that everybody may enter and only its user may write to."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "calls.sqlite"
    cache = CallCache(path)
    begun = cache.begin("a model", "a run", "generate", 1)
    cache.add("a model", [Entry("key", "generate", '"answer"', 7, "3", 0.5, "a run")], begun)
    path.chmod(0o644)
    folder.chmod(0o555)
    yield path
    folder.chmod(0o755)
    shutil.rmtree(folder)


def _read(path: Path, results: Connection) -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    try:
        results.send((read_stats(path).n_entries, read_ledger(path).total.executed, ""))
    except ArgoError as error:
        results.send((0, 0, str(error)))


def read_by_another_user(path: Path) -> tuple[int, int, str]:
    receiver, sender = workers.context().Pipe(duplex=False)
    process = workers.context().Process(target=_read, args=(path, sender))
    process.start()
    sender.close()
    process.join(60)
    n_entries, n_executed, error = receiver.recv()
    return n_entries, n_executed, error


def test_a_file_that_nobody_has_open_is_read(path: Path) -> None:
    assert not path.with_name("calls.sqlite-wal").exists()
    assert read_by_another_user(path) == (1, 1, "")


def test_a_file_that_its_user_has_open_is_read_with_what_only_its_log_holds(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("SELECT count(*) FROM calls").fetchone()
        cache = CallCache(path)
        cache.add("a model", [Entry("other", "generate", '"answer"', 7, "3", 0.5, "a run")])
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).chmod(0o644)
        assert read_by_another_user(path) == (2, 2, "")


def test_a_file_that_may_not_be_read_is_named_with_what_helps(path: Path) -> None:
    path.chmod(0o600)
    n_entries, _, error = read_by_another_user(path)
    assert n_entries == 0
    assert error.startswith(f"{path}: the cache of model calls cannot be read (")
    assert error.endswith("let its owner make it readable, or name another cache_dir")
    assert "\n" not in error
