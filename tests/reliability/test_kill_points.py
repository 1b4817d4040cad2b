"""A sample of the points at which jobs are killed; benchmarks/reliability kills at all of them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from builders import workers

from argo_ml.tracking import runs
from argo_ml.tracking.artifact_files import UNFINISHED
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun, connect
from benchmarks.reliability import accounting
from benchmarks.reliability.counting import Counts
from benchmarks.reliability.jobs import JOBS
from benchmarks.reliability.kill_points import points_campaign, write_inputs
from benchmarks.reliability.points import Point, Watch, install


def _do_some_writes(folder: Path, deadly: Point | None, results: Connection) -> None:
    watch = Watch(folder, deadly)
    install(watch)
    with closing(sqlite3.connect(folder / "a.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("BEGIN")
        database.execute("INSERT INTO t VALUES (1)")
        database.execute("COMMIT")
    partial = folder / "partial"
    partial.write_text("written whole")
    partial.replace(folder / "whole")
    results.send([str(point) for point in watch.reached])


def writes(folder: Path, deadly: Point | None = None) -> tuple[int | None, list[str]]:
    """The exit code of a process that writes, and the points that it came through."""
    context = workers.context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_do_some_writes, args=(folder, deadly, sender))
    process.start()
    sender.close()
    process.join(120)
    reached = receiver.recv() if process.exitcode == 0 else []
    return process.exitcode, reached


@pytest.mark.slow
def test_points_are_writes_and_commits_and_a_write_can_be_cut_in_its_midst(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    assert writes(tmp_path / "all") == (
        0,
        [
            "CREATE a.db #1",
            "COMMIT a.db #1",
            "open partial #1",
            "write partial #1",
            "half of a write partial #1",
            "os.rename partial #1",
        ],
    )
    (tmp_path / "cut").mkdir()
    code, _ = writes(tmp_path / "cut", Point("half of a write partial", 1))
    assert code == -9
    assert (tmp_path / "cut" / "partial").read_text() == "writte"
    assert not (tmp_path / "cut" / "whole").exists()
    with closing(sqlite3.connect(tmp_path / "cut" / "a.db")) as database:
        assert database.execute("SELECT a FROM t").fetchall() == [(1,)]


def _log_until_killed(folder: Path, uri: str, run_id: str, source: Path) -> None:
    os.chdir(folder)
    run = TrackedRun(connect(uri, "killed").client, run_id)
    run.reopen()
    name = f"mlruns/1/ID/artifacts/{UNFINISHED}"
    install(Watch(folder, Point(f"half of a write {name}", 1)))
    run.log_folder(source)


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [None, "as it was"])
def test_of_an_artifact_that_a_kill_cut_off_nobody_sees_a_half(
    tracking_uri: str, tmp_path: Path, earlier: str | None
) -> None:
    run = connect(tracking_uri, "killed").create("a sweep", {runs.KIND: "sweep"})
    source = tmp_path / "source"
    source.mkdir()
    if earlier is not None:
        (source / "spec.yaml").write_text(earlier)
        run.log_folder(source)
    (source / "spec.yaml").write_text("written whole")
    arguments = (tmp_path, tracking_uri, run.run_id, source)
    process = workers.context().Process(target=_log_until_killed, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode == -9
    stored = run.read_artifact("spec.yaml")
    assert (stored.decode() if stored else None) == earlier
    [half] = (tmp_path / "mlruns").rglob(f"{UNFINISHED}*")
    assert half.read_text() == "writte"
    open_experiment(tracking_uri, "killed")
    assert not half.exists()


def sample(folder: Path, name: str, n_cases: int) -> Counts:
    return points_campaign(folder, JOBS[name], n_cases, seed=1, n_lanes=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_cases"), [("sweep", 3), ("index", 3)])
def test_a_job_killed_at_a_point_ends_as_one_that_was_not(
    tmp_path: Path, name: str, n_cases: int
) -> None:
    counts = workers.returned(sample, tmp_path, name, n_cases)

    assert (counts.n_cases, counts.n_failures) == (n_cases, 0), counts.examples
    assert counts.outcomes["as if not killed"] + counts.outcomes["left files behind"] == n_cases


def paid_at_once(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """What came of running a job twice at once, and what does not add up."""
    job, place = JOBS[name], folder / name
    write_inputs(place, job)
    accounting.run_twice_at_once(job, place)
    problems: list[str] = []
    return accounting.outcomes(place, job, problems), problems


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "calibrate"])
def test_of_two_jobs_at_once_runs_paid_what_the_model_was_asked(tmp_path: Path, name: str) -> None:
    outcomes, problems = workers.returned(paid_at_once, tmp_path, name)

    assert problems == []
    assert outcomes[0] == "every call has a payer"


@pytest.mark.parametrize("n_rounds", [3, 10])
def test_kills_are_spread_over_the_calls_of_a_job(n_rounds: int) -> None:
    after = [accounting.calls_before_kill(20, number, n_rounds) for number in range(n_rounds)]

    assert after == sorted(set(after))
    assert (after[0], after[-1] <= 20) == (1, True)
