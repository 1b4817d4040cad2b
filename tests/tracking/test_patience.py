"""Databases that another program keeps locked for a while, or for good."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.cli import execute
from argo_ml.config import StudySpec, SweepSpec, build
from argo_ml.errors import ArgoError, TrackingError
from argo_ml.models.cache.caching import CallCache
from argo_ml.study.storage import StudyStore
from argo_ml.sweep.accounting import accounting
from argo_ml.sweep.stages import keeping_events
from argo_ml.tracking.runs import KIND, connect
from argo_ml.waiting import (
    DEFAULT_S,
    VARIABLE,
    database_timeout_s,
    locked_advice,
    short_patience,
)


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Nobody can read or write the database for so long, or until the end of the block."""
    freed = threading.Event()
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")

    def free() -> None:
        freed.wait(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=free)
    thread.start()
    try:
        yield
    finally:
        freed.set()
        thread.join()


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copyfile(empty_store, tmp_path / "mlflow.db"))
    connect(f"sqlite:///{path}", "e")
    return path


def test_a_run_waits_for_a_store_that_is_locked_for_a_while(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "60")
    tracking = connect(f"sqlite:///{store}", "e")
    run = tracking.create("a", {})
    with locked(store, 1.0):
        run.log(params={"x": 1})
        run.end()
    assert tracking.get(run.run_id).info.status == "FINISHED"


def test_a_run_ends_in_one_line_where_the_store_stays_locked(
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(VARIABLE, "0.3")
    tracking = connect(f"sqlite:///{store}", "e")
    run = tracking.create("a", {})
    started = time.monotonic()
    with (
        locked(store, 60),
        pytest.raises(TrackingError, match=r"kept it locked for 0.3 s \(database_timeout_s\)"),
    ):
        run.log(params={"x": 1})
    assert time.monotonic() - started < 5
    assert "Traceback" not in capfd.readouterr().err


def test_ending_a_run_does_not_wait_as_long_again(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("argo_ml.tracking.runs.short_patience", lambda: short_patience(0.3))
    run = connect(f"sqlite:///{store}", "e").create("a", {})
    started = time.monotonic()
    with locked(store, 60):
        run.fail(TrackingError(f"mlflow.db: {locked_advice()}"))
    assert time.monotonic() - started < 10
    assert "could not be ended" in caplog.text
    assert "kept it locked for 120 s (database_timeout_s)" in caplog.text


@pytest.mark.parametrize("error", [TrackingError(locked_advice()), KeyboardInterrupt()])
def test_a_locked_store_is_waited_for_once_for_all_cells(
    error: BaseException,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(VARIABLE, "0.3")
    monkeypatch.setattr("argo_ml.tracking.runs.short_patience", lambda: short_patience(0.3))
    tracking = connect(f"sqlite:///{store}", "e")
    sweep = tracking.create("a sweep", {KIND: "sweep"})
    for number in range(5):
        tracking.create_child(sweep, f"{number}", {})
    with locked(store, 60), pytest.raises(type(error)), sweep.recording_failure():
        raise error
    assert caplog.text.count("could not be ended") == 1
    sweep.fail(error)
    statuses = {run.info.status for run in tracking.children(sweep.run_id)}
    assert statuses == {"KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"}


def test_an_interrupted_run_waits_no_longer_than_its_cells_have(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argo_ml.tracking.runs.short_patience", lambda: short_patience(0.3))
    run = connect(f"sqlite:///{store}", "e").create("a sweep", {})
    with locked(store, 60):
        monkeypatch.setenv(VARIABLE, "0.3")
        assert not run.fail(KeyboardInterrupt())
        monkeypatch.setenv(VARIABLE, "120")
        started = time.monotonic()
        assert not run.fail(KeyboardInterrupt())
    assert time.monotonic() - started < 30
    assert run.fail(KeyboardInterrupt())


@pytest.mark.parametrize("error", [TrackingError(locked_advice()), KeyboardInterrupt()])
def test_a_locked_store_is_waited_for_once_by_all_that_is_said_of_a_sweep_that_ends(
    error: BaseException, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argo_ml.tracking.runs.short_patience", lambda: short_patience(0.3))
    waited: list[float] = []

    def wait_in_vain(path: Path) -> None:
        waited.append(database_timeout_s())
        raise sqlite3.OperationalError("database is locked")

    sweep = connect(f"sqlite:///{store}", "e").create("a sweep", {KIND: "sweep"})
    monkeypatch.setattr("argo_ml.tracking.stores._read_patiently", wait_in_vain)
    context: Any = SimpleNamespace(events=["memory ran out"], batch_tokens=512)
    spec = build(SweepSpec, {"cache_dir": str(tmp_path / "cache")})
    with (
        pytest.raises(type(error)),
        sweep.recording_failure(),
        accounting(sweep, spec),
        keeping_events(context, sweep),
    ):
        raise error
    first = 0.3 if isinstance(error, TrackingError) else DEFAULT_S
    assert waited == [first, 0.3, 0.3]


def test_after_another_error_a_locked_store_is_waited_for(store: Path) -> None:
    tracking = connect(f"sqlite:///{store}", "e")
    run = tracking.create("a", {})
    with short_patience(0.1), locked(store, 60), pytest.raises(TrackingError):
        run.end()
    with locked(store, 1.0):
        run.fail(ArgoError("no questions"))
    assert tracking.get(run.run_id).info.status == "FAILED"


def test_opening_waits_and_says_so(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("argo_ml.tracking.stores.REACH_TIMEOUT_S", 0.2)
    with caplog.at_level(logging.WARNING), locked(store, 1.0):
        connect(f"sqlite:///{store}", "e")
    assert "mlflow.db is locked by another program: waiting for it, 120 s at most" in caplog.text


def test_opening_ends_with_advice_that_names_the_parameter(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0.3")
    with locked(store, 60), pytest.raises(TrackingError) as refusal:
        connect(f"sqlite:///{store}", "e")
    assert "cannot be read: another program has kept it locked for 0.3 s" in str(refusal.value)
    assert "use sqlite:///FILE.db" not in str(refusal.value)


def test_the_storage_of_a_study_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.db"
    spec = StudySpec(storage=f"sqlite:///{path}")
    StudyStore(spec, "s")
    monkeypatch.setenv(VARIABLE, "0.3")
    with locked(path, 60), pytest.raises(ArgoError, match=r"kept it locked for 0.3 s"):
        StudyStore(spec, "s").find()


def test_the_call_cache_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    cache.stats()
    monkeypatch.setenv(VARIABLE, "0.3")
    with (
        locked(tmp_path / "calls.sqlite", 60),
        pytest.raises(ArgoError, match=r"kept it locked for 0.3 s"),
    ):
        CallCache(tmp_path / "calls.sqlite").prune(0, "")


def test_the_default_is_that_of_the_parameter() -> None:
    assert StudySpec().database_timeout_s == DEFAULT_S


def test_the_parameter_of_a_command_holds_for_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    execute(["cache", "stats", "--cache_dir", str(tmp_path), "--database_timeout_s", "7"])
    assert database_timeout_s() == 7.0
