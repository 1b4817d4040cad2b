"""A store is made whole or not at all, however many begin at once and whenever one is killed."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from argo_ml.tracking.experiments import experiment_id
from argo_ml.tracking.first_use import Condition, condition, create_whole
from argo_ml.tracking.stores import sqlite_uri

pytestmark = pytest.mark.slow


class Cut(Exception):
    """Stands for the end of a process."""


def cut_off(path: Path, after: int) -> None:
    """Let MLflow make a store in its place and end it after so many statements."""
    engine = sqlalchemy.create_engine(sqlite_uri(path))
    counted = iter(range(after))

    def count(*_: Any) -> None:
        if next(counted, None) is None:
            raise Cut

    sqlalchemy.event.listen(engine, "before_cursor_execute", count)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(SqlAlchemyStore, "_get_or_create_engine", lambda *_: engine)
        SqlAlchemyStore(sqlite_uri(path), "mlruns")  # type: ignore[no-untyped-call]
    engine.dispose()


@pytest.mark.parametrize("after", [30, 150, 400])
def test_a_store_whose_making_was_cut_off_is_made_again(tmp_path: Path, after: int) -> None:
    path = tmp_path / "mlflow.db"
    cut_off(path, after)
    os.utime(path, (0, 0))
    assert condition(path) is Condition.UNFINISHED

    create_whole(path)

    assert condition(path) is Condition.USABLE
    assert MlflowClient(sqlite_uri(path)).get_experiment("0").name == "Default"
    assert os.listdir(tmp_path) == ["mlflow.db"]


def test_what_another_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    other = multiprocessing.get_context("fork").Process(target=make_slowly, args=(path,))
    other.start()
    while not path.exists():
        time.sleep(0.01)

    create_whole(path)

    with sqlite3.connect(path) as database:
        assert database.execute("SELECT * FROM experiments").fetchall() == [(7,)]
    other.join()


def make_slowly(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE alembic_version (version_num)")
        database.commit()
        time.sleep(0.5)
        database.execute("INSERT INTO alembic_version VALUES ('a')")
        database.execute("CREATE TABLE experiments (experiment_id)")
        database.execute("INSERT INTO experiments VALUES (7)")


def test_runs_are_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE runs (run_uuid)")
        database.execute("INSERT INTO runs VALUES ('a')")

    assert condition(path) is Condition.USABLE


def test_many_make_one_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    context = multiprocessing.get_context("fork")
    makers = [context.Process(target=make_and_use, args=(path,)) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert [maker.exitcode for maker in makers] == [0] * 8
    client = MlflowClient(sqlite_uri(path))
    experiment = client.get_experiment_by_name("new")
    assert len(client.search_runs([experiment.experiment_id])) == 8
    assert os.listdir(tmp_path) == ["mlflow.db"]


def make_and_use(path: Path) -> None:
    create_whole(path)
    client = MlflowClient(sqlite_uri(path))
    client.create_run(experiment_id(client, "new", create=True))
