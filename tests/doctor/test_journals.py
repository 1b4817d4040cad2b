from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.config import DoctorSpec, build
from argo_ml.doctor import Status
from argo_ml.doctor.check import Check
from argo_ml.doctor.journals import check_journals
from argo_ml.locks import ProcessLock
from argo_ml.tracking.runs import KIND, Tracking, connect


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, "argo_ml")


def journal(tracking: Tracking, cache: Path, status: str) -> Path:
    """That of a sweep which has ended so, or was deleted; 2 MB of it."""
    run = tracking.create("a sweep", {KIND: "sweep"})
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
        "2 (4 MB) of runs that have finished or were deleted; "
        "2 (4 MB) of unfinished runs, or of another store"
    )

    repaired = checked(tracking, tmp_path, repair=True)
    assert repaired.status is Status.OK
    assert [path.exists() for path in (*needless, *kept)] == [False, False, True, True]
    assert checked(tracking, tmp_path).status is Status.OK


def test_a_journal_that_a_process_is_at_work_on_stays(tracking: Tracking, tmp_path: Path) -> None:
    path = journal(tracking, tmp_path, "deleted")

    with ProcessLock(path.with_name(f"{path.name}.lock")):
        repaired = checked(tracking, tmp_path, repair=True)

    assert (repaired.status, path.exists()) == (Status.WARNING, True)


def test_without_a_store_nothing_is_known_to_be_needless(tmp_path: Path) -> None:
    of_run(tmp_path, "0" * 32)
    gone = {"tracking_uri": f"sqlite:///{tmp_path / 'gone.db'}", "cache_dir": tmp_path}

    assert check_journals(build(DoctorSpec, gone)).status is Status.OK
