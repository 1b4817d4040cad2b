"""The lock of a study on a database server."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy
from builders import postgresql

from argo_ml.study import storage
from argo_ml.study.storage import StudyLock

pytestmark = pytest.mark.slow
BACKENDS = "pg_stat_activity WHERE query LIKE '%advisory%' AND pid != pg_backend_pid()"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql.server() as address:
        yield address


def asked(url: str, statement: str) -> list[object]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        return list(connection.execute(sqlalchemy.text(statement)).scalars())


def test_who_waits_for_the_lock_is_told_and_can_be_interrupted(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(storage, "SILENT_S", 0.2)
    caplog.set_level(logging.INFO, "argo_ml")
    interruption = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    with StudyLock(url, "mine") as held:
        # Whoever cannot be interrupted gets it then.
        patience = threading.Timer(10, held.release)
        patience.start()
        interruption.start()
        with pytest.raises(KeyboardInterrupt), StudyLock(url, "mine"):
            pytest.fail("a second worker has the lock")
        patience.cancel()
    assert caplog.messages == ["waiting for study mine, which another worker has"]
    with StudyLock(url, "mine"):
        pass


def test_the_lock_is_held_without_a_transaction(url: str) -> None:
    with StudyLock(url, "mine"):
        assert asked(url, f"SELECT state FROM {BACKENDS}") == ["idle"]


def test_a_lock_whose_connection_was_cut_is_given_back_without_an_error(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    lock = StudyLock(url, "another")
    with lock:
        assert asked(url, f"SELECT pg_terminate_backend(pid) FROM {BACKENDS}") == [True]
    assert caplog.messages[0].startswith("the lock of study another: ")
    with lock:
        pass
