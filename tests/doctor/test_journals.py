from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.config import DoctorSpec, build
from argo_ml.doctor import Status
from argo_ml.doctor.check import Check
from argo_ml.doctor.journals import check_journals
from argo_ml.locks import ProcessLock
from argo_ml.tracking.runs import KIND, STAGE, Tracking, connect


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, "argo_ml")


def journal(tracking: Tracking, cache: Path, status: str, kind: str = "sweep", **tags: str) -> Path:
    """That of a run which has ended so, or was deleted; 2 MB of it."""
    run = tracking.create("a run", {KIND: kind, **tags})
    if status == "deleted":
        tracking.client.delete_run(run.run_id)
    else:
        run.end(status)
    return of_run(cache, run.run_id)


def of_run(cache: Path, run_id: str) -> Path:
    folder = cache / "sweeps" / run_id
    folder.mkdir(parents=True)
    (folder / "shard-00000.json").write_bytes(bytes(2_000_000))
    return folder


def checked(tracking: Tracking, cache: Path, repair: bool = False) -> Check:
    where = {"tracking_uri": tracking.uri, "cache_dir": cache}
    return check_journals(build(DoctorSpec, {**where, "repair": repair}))


def test_journals_that_nobody_needs_are_named_and_removed_where_that_is_asked_for(
    tracking: Tracking, tmp_path: Path
) -> None:
    needless = [journal(tracking, tmp_path, status) for status in ("FINISHED", "deleted")]
    kept = [journal(tracking, tmp_path, "KILLED"), of_run(tmp_path, "0" * 32)]
    (tmp_path / "sweeps" / "notes").mkdir()

    found = checked(tracking, tmp_path)
    assert found.status is Status.WARNING
    assert found.detail == (
        "2 (4 MB) of runs that nobody goes on with; "
        "2 (4 MB) of unfinished runs, or of another store"
    )

    repaired = checked(tracking, tmp_path, repair=True)
    assert repaired.status is Status.OK
    assert [path.exists() for path in (*needless, *kept)] == [False, False, True, True]
    assert checked(tracking, tmp_path).status is Status.OK


def test_ended_cells_and_stages_of_an_advice_are_run_anew(
    tracking: Tracking, tmp_path: Path
) -> None:
    stage = {STAGE: "test"}
    needless = [
        journal(tracking, tmp_path, "KILLED", "cell"),
        journal(tracking, tmp_path, "KILLED", "sweep", **stage),
    ]
    kept = [
        journal(tracking, tmp_path, "RUNNING", "cell"),
        journal(tracking, tmp_path, "RUNNING", "sweep", **stage),
    ]

    checked(tracking, tmp_path, repair=True)

    assert [path.exists() for path in (*needless, *kept)] == [False, False, True, True]


def test_a_journal_that_its_sweep_is_removing_is_counted_without_its_size(
    tracking: Tracking, tmp_path: Path
) -> None:
    going = journal(tracking, tmp_path, "KILLED")
    (going / "shard-00001.json").symlink_to(going / "gone")

    assert checked(tracking, tmp_path).detail == "1 (0 MB) of unfinished runs, or of another store"


def test_a_journal_that_a_process_is_at_work_on_stays(tracking: Tracking, tmp_path: Path) -> None:
    path = journal(tracking, tmp_path, "deleted")

    with ProcessLock(path.with_name(f"{path.name}.lock")):
        repaired = checked(tracking, tmp_path, repair=True)

    assert (repaired.status, path.exists()) == (Status.WARNING, True)


def test_without_a_store_nothing_is_known_to_be_needless(tmp_path: Path) -> None:
    of_run(tmp_path, "0" * 32)
    gone = {"tracking_uri": f"sqlite:///{tmp_path / 'gone.db'}", "cache_dir": tmp_path}

    assert check_journals(build(DoctorSpec, gone)).status is Status.OK
