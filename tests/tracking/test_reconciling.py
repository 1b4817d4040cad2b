"""What processes that died have left, in a real store and with real second processes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from builders import owned_runs
from mlflow import MlflowClient

from argo_ml.processes import parse_process, this_process
from argo_ml.tracking import runs
from argo_ml.tracking.owners import OWNER
from argo_ml.tracking.reconciling import (
    how_to_go_on,
    open_experiment,
    reconcile,
    reconcile_store,
)
from argo_ml.tracking.runs import Tracking, connect

pytestmark = pytest.mark.slow
EXPERIMENT = "an experiment"
AGAIN = "give the same command again; calls that were made are in the call cache"


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, EXPERIMENT)


def status(tracking: Tracking, run_id: str) -> str:
    return str(tracking.get(run_id).info.status)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("sweep", f"too young to be resumed: {AGAIN}"),
        ("comparison", "go on with: argo-ml compare --resume {run_id}"),
        ("study", "go on with the same argo-ml tune command; finished trials are kept"),
        ("calibration", AGAIN),
        ("replay", AGAIN),
    ],
)
def test_the_next_start_ends_the_runs_of_a_killed_process_and_says_what_goes_on(
    tracking: Tracking, kind: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    with owned_runs.living(tracking.uri, EXPERIMENT, {runs.KIND: kind}) as (process, *ids):
        process.kill()
        process.join()
    caplog.set_level(logging.INFO)
    open_experiment(tracking.uri, EXPERIMENT)
    assert [status(tracking, run_id) for run_id in ids] == ["KILLED", "KILLED"]
    tags = tracking.get(ids[0]).data.tags
    assert tags[runs.ERROR].startswith(f"process {process.pid} on ")
    assert tags[runs.ERROR].endswith(advice.format(run_id=ids[0]))
    # One line for the parent, none for its child.
    assert len([text for text in caplog.messages if "ended without ending it" in text]) == 1


def test_a_sweep_that_stored_its_spec_is_gone_on_with_by_its_id(
    tracking: Tracking, tmp_path: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "spec.yaml").write_text("mode: small")
    with owned_runs.living(tracking.uri, EXPERIMENT, {runs.KIND: "sweep"}) as (process, *ids):
        runs.TrackedRun(tracking.client, ids[0]).log_folder(tmp_path / "artifacts")
        process.kill()
        process.join()
    reconcile(tracking)
    for run_id in ids:
        error = tracking.get(run_id).data.tags[runs.ERROR]
        assert error.endswith(f"; go on with: argo-ml sweep --resume {ids[0]}")


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("advice", "go on with: argo-ml advise --resume {run_id}"),
        ("comparison", "go on with: argo-ml compare --resume {run_id}"),
        ("study", "go on with the same argo-ml tune command; finished trials are kept"),
    ],
)
def test_a_part_is_gone_on_with_by_what_began_the_whole(
    tracking: Tracking, kind: str, advice: str
) -> None:
    whole = tracking.create("a whole", {runs.KIND: kind})
    sweep = tracking.create_child(whole, "a sweep", {runs.KIND: "sweep"})
    tags = {runs.KIND: "cell", runs.SWEEP_ID: sweep.run_id}
    cell = tracking.create_child(sweep, "a cell", tags)

    said = [how_to_go_on(tracking.client, tracking.get(own.run_id)) for own in (sweep, cell)]

    assert said == [advice.format(run_id=whole.run_id)] * 2


def test_a_live_run_of_another_process_is_never_touched(tracking: Tracking) -> None:
    tags = {runs.KIND: "sweep"}
    with owned_runs.living(tracking.uri, EXPERIMENT, tags) as (_, run_id, child_id):
        before = [tracking.get(each).to_dictionary() for each in (run_id, child_id)]
        reconciled = reconcile(tracking)
        assert reconciled.ended == reconciled.elsewhere == reconciled.nameless == []
        assert [tracking.get(each).to_dictionary() for each in (run_id, child_id)] == before


def test_a_run_of_another_host_is_left_alone_and_named(tracking: Tracking) -> None:
    run = tracking.create("there", {runs.KIND: "sweep", **owned_runs.of_another_host()})
    reconciled = reconcile(tracking)
    assert [lost.info.run_id for lost in reconciled.elsewhere] == [run.run_id]
    assert status(tracking, run.run_id) == "RUNNING"


def test_a_study_lives_as_long_as_one_of_its_workers(tracking: Tracking) -> None:
    with owned_runs.living(tracking.uri, EXPERIMENT, {runs.KIND: "study"}) as (process, run_id, _):
        runs.TrackedRun(tracking.client, run_id).reopen(beside_others=True)
        process.kill()
        process.join()
        reconcile(tracking)
        assert status(tracking, run_id) == "RUNNING"
        lines = tracking.get(run_id).data.tags[OWNER].splitlines()
    first, second = map(parse_process, lines)
    assert first is not None and first.pid == process.pid
    assert second == this_process()


def test_a_failing_run_ends_the_children_that_its_process_has_begun(tracking: Tracking) -> None:
    run = tracking.create("a sweep", {runs.KIND: "sweep"})
    own = tracking.create_child(run, "own", {runs.KIND: "cell"})
    other = tracking.create_child(
        run, "of another worker", {runs.KIND: "trial", **owned_runs.of_another_host()}
    )
    with pytest.raises(RuntimeError), run.recording_failure():
        raise RuntimeError("the index is gone")
    assert status(tracking, own.run_id) == status(tracking, run.run_id) == "FAILED"
    assert tracking.get(own.run_id).data.tags[runs.ERROR] == "RuntimeError: the index is gone"
    assert status(tracking, other.run_id) == "RUNNING"


def test_of_runs_that_name_no_process_only_cells_of_an_ended_sweep_are_ended(
    tracking: Tracking,
) -> None:
    sweep = tracking.create("old sweep", {runs.KIND: "sweep", OWNER: ""})
    cell = tracking.create_child(sweep, "old cell", {runs.KIND: "cell", OWNER: ""})
    assert len(reconcile(tracking).nameless) == 2
    tracking.client.set_terminated(sweep.run_id, "FAILED")
    reconcile(tracking)
    assert status(tracking, cell.run_id) == "KILLED"


def test_the_whole_store_is_repaired_only_where_that_is_asked_for(tracking: Tracking) -> None:
    tags = {runs.KIND: "calibration"}
    with owned_runs.living(tracking.uri, "another one", tags) as (process, run_id, _):
        process.kill()
        process.join()
    assert len(reconcile_store(tracking.uri, repair=False).ended) == 2
    assert status(tracking, run_id) == "RUNNING"
    assert len(reconcile_store(tracking.uri, repair=True).ended) == 2
    assert status(tracking, run_id) == "KILLED"
    assert reconcile_store(tracking.uri, repair=True).ended == []


def test_what_is_no_run_of_ours_is_not_looked_at(tracking: Tracking) -> None:
    foreign = MlflowClient(tracking.uri).create_run(tracking.experiment_id)
    reconciled = reconcile(tracking)
    assert reconciled.nameless == reconciled.ended == []
    assert status(tracking, foreign.info.run_id) == "RUNNING"
