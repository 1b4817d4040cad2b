from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders import owned_runs

from argo_ml.cli.commands import execute
from argo_ml.config import DoctorSpec, build
from argo_ml.doctor import Status
from argo_ml.doctor.leftovers import check_leftovers, check_runs
from argo_ml.locks import ProcessLock
from argo_ml.tracking.runs import KIND, connect

AN_HOUR_AGO = 1_000_000.0


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A lock that somebody holds, one that nobody does, and folders with and without files."""
    cache = tmp_path / "cache"
    (cache / "sweeps" / "empty").mkdir(parents=True)
    (cache / "sweeps" / "new").mkdir()
    (cache / "sweeps" / "empty.lock").touch()
    (cache / "indexes").mkdir()
    (cache / "indexes" / "kept").touch()
    os.utime(cache / "sweeps" / "empty", (AN_HOUR_AGO, AN_HOUR_AGO))
    return cache


def test_free_locks_and_old_empty_folders_are_removed_and_nothing_else(cache: Path) -> None:
    found = check_leftovers(build(DoctorSpec, {"cache_dir": cache}))
    assert found.status is Status.WARNING
    assert (cache / "sweeps" / "empty.lock").exists()

    with ProcessLock(cache / "calls.sqlite.lock"):
        repaired = check_leftovers(build(DoctorSpec, {"cache_dir": cache, "repair": True}))
        left = sorted(str(path.relative_to(cache)) for path in cache.rglob("*"))
    assert repaired.status is Status.OK
    assert left == ["calls.sqlite.lock", "indexes", "indexes/kept", "sweeps", "sweeps/new"]


def test_a_lock_that_names_a_process_which_died_is_removed(cache: Path) -> None:
    left = cache / "studies" / "s.db.lock"
    left.parent.mkdir()
    with ProcessLock(left):
        said = left.read_text()
    left.write_text(said)

    check_leftovers(build(DoctorSpec, {"cache_dir": cache, "repair": True}))

    assert not left.exists()


FOREIGN = (
    *("poetry.lock", "sweeps/uv.lock", "app/cache.lock", "data/cache.lock"),
    *(".my-settings", "data/.my-settings", "models/.my-settings"),
)


def test_what_others_have_in_the_folder_stays(tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("version = 1\n")
    for name in ("app/cache.lock", "data/cache.lock"):
        (tmp_path / name).write_text("")
    for name in ("empty", "data/empty", "models/empty"):
        (tmp_path / name).mkdir(exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    for path in before:
        os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))

    check_leftovers(build(DoctorSpec, {"cache_dir": tmp_path, "repair": True}))

    assert sorted(tmp_path.rglob("*")) == before


def test_what_killed_writers_left_is_removed_once_it_is_an_hour_old(tmp_path: Path) -> None:
    folder = "indexes/.building-docs-8dk3_x1a"
    old, fetched = ".model_digests.json-0a1b2c3d", "data/.fetch-0a1b2c3d"
    young = ".speed_profiles.json-zzzzzz_9"
    for name in (f"{folder}/index", fetched):
        (tmp_path / name).mkdir(parents=True)
    for name in (f"{folder}/index/data", old, young):
        (tmp_path / name).touch()
    for name in (f"{folder}/index/data", f"{folder}/index", folder, old, fetched):
        os.utime(tmp_path / name, (AN_HOUR_AGO, AN_HOUR_AGO))

    repaired = check_leftovers(build(DoctorSpec, {"cache_dir": tmp_path, "repair": True}))

    assert "3 half written files and folders" in repaired.detail
    assert [path.name for path in tmp_path.rglob(".*")] == [young]


def test_a_store_that_is_no_address_is_an_error() -> None:
    check = check_runs(build(DoctorSpec, {"tracking_uri": "sqlite:mlflow.db"}))

    assert check.status is Status.ERROR


@pytest.mark.slow
def test_runs_of_dead_processes_are_named_and_ended_where_that_is_asked_for(
    tracking_uri: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with owned_runs.living(tracking_uri, "one", {KIND: "calibration"}) as (process, *ids):
        process.kill()
        process.join()
    tracking = connect(tracking_uri, "two")
    tracking.create("there", {KIND: "sweep", **owned_runs.of_another_host()})
    where = {"tracking_uri": tracking_uri, "cache_dir": str(cache)}

    found = check_runs(build(DoctorSpec, where))
    assert found.status is Status.WARNING
    assert found.detail == (
        "2 are RUNNING of processes that died; 1 of elsewhere are left alone: look from there"
    )
    options = [text for name, value in where.items() for text in (f"--{name}", value)]
    assert execute(["doctor", "--repair", *options]) == 0
    assert "2 of processes that died are ended now" in capsys.readouterr().out
    assert [tracking.get(run_id).info.status for run_id in ids] == ["KILLED", "KILLED"]
