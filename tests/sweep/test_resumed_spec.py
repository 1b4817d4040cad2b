"""What an interrupted sweep goes on with: parameters with a secret in them, and relative paths."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from builders import owned_runs
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from argo_ml.config import AdviseSpec, CompareSpec, SweepSpec, build, refuse_unread
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.processes import this_process
from argo_ml.sweep.parent_run import find_resumed, store_spec
from argo_ml.sweep.resumed_spec import command_tag, resolve_latest, resumed_spec
from argo_ml.sweep.stages import check_unchanged
from argo_ml.tracking.environment import USER
from argo_ml.tracking.owners import OWNER
from argo_ml.tracking.runs import KIND, TrackedRun, Tracking, connect


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, "argo_ml")


def stored(tracking: Tracking, **values: str) -> str:
    """Run id of a sweep that was begun with these."""
    run = tracking.create("a sweep", {KIND: "sweep"})
    store_spec(run, build(SweepSpec, values))
    return run.run_id


def of_a_living_process() -> dict[str, str]:
    """The tag of a run that the process which has started this one is at work on."""
    started = psutil.Process(os.getppid()).create_time()
    other = replace(this_process(), pid=os.getppid(), started=started, lock="/nowhere.lock")
    return {OWNER: other.text}


def resumed(tracking: Tracking, run_id: str, **given: str) -> SweepSpec:
    command = {"resume": run_id, "tracking_uri": tracking.uri, **given}
    return resumed_spec(build(SweepSpec, command), tracking)


def test_a_key_that_is_a_word_as_well_leaves_paths_and_addresses_whole(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ollama")
    values = {
        "model": "server:ollama-7b",
        "server_urls": "http://ollama:11434/v1",
        "cache_dir": "/srv/ollama/cache",
    }

    again = resumed(tracking, stored(tracking, **values))

    assert (again.model, again.server_urls) == ("server:ollama-7b", ("http://ollama:11434/v1",))
    assert again.cache_path == Path("/srv/ollama/cache")


def test_a_value_that_was_kept_without_a_secret_is_not_taken_for_the_value(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "a-long-secret")
    run_id = stored(tracking, cache_dir="/srv/a-long-secret/cache")

    with pytest.raises(ConfigError, match=r"cache_dir=/srv/\*\*\*/cache .* give cache_dir again"):
        resumed(tracking, run_id)
    assert resumed(tracking, run_id, cache_dir="/srv/other").cache_path == Path("/srv/other")


def test_one_that_cannot_be_given_again_takes_a_new_sweep(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "a-long-secret")
    run_id = stored(tracking, model="/models/a-long-secret")

    with pytest.raises(ConfigError, match=r"model=/models/\*\*\* .* start anew without resume"):
        resumed(tracking, run_id)


def test_a_spec_that_cannot_be_fetched_is_no_reason_to_start_anew(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = stored(tracking)

    def refuse(*_: object) -> None:
        raise MlflowException("504 Server Error: Gateway Time-out")

    monkeypatch.setattr(MlflowClient, "download_artifacts", refuse)
    with pytest.raises(TrackingError, match=r"^spec\.yaml of run .* cannot be fetched .*504"):
        resumed(tracking, run_id)


def test_a_sweep_without_a_spec_is_started_anew(tracking: Tracking) -> None:
    run = tracking.create("a sweep", {KIND: "sweep"})
    with pytest.raises(TrackingError, match=r"nothing is lost; start it again without resume"):
        resumed(tracking, run.run_id)


def test_a_calibration_is_found_from_another_folder(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cal").mkdir()
    (tmp_path / "cal" / "calibration.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    by_file = stored(tracking, calibration="./cal/calibration.json")
    by_run = stored(tracking, calibration="0123abcd")
    monkeypatch.chdir(tmp_path / "cal")

    file = str(tmp_path / "cal" / "calibration.json")
    assert resumed(tracking, by_file).calibration == file
    assert resumed(tracking, by_run).calibration == "0123abcd"


@pytest.mark.parametrize("kind", ["sweep", "comparison", "advice"])
def test_the_run_that_mlflow_run_shows_stands_for_what_it_points_to(
    tracking: Tracking, kind: str
) -> None:
    begun = tracking.create("what was begun", {KIND: kind})
    pointer = tracking.create("what mlflow run opened", {})
    pointer.point_to(begun.run_id, "to what was begun", "What it began is there.")

    found, _ = find_resumed(tracking, pointer.run_id, kind)

    assert found.info.run_id == begun.run_id


@pytest.mark.parametrize("kind", ["sweep", "comparison", "advice"])
def test_what_another_process_is_at_work_on_is_not_gone_on_with(
    tracking: Tracking, kind: str
) -> None:
    run = tracking.create("what is being run", {KIND: kind, **of_a_living_process()})

    said = (
        rf"^{kind} {run.run_id} is being run by process {os.getppid()} on .*; wait for it or stop"
    )
    with pytest.raises(ConfigError, match=said):
        find_resumed(tracking, run.run_id, kind)

    run.end("KILLED")
    assert find_resumed(tracking, run.run_id, kind)[0].info.run_id == run.run_id


def test_what_another_machine_may_be_at_work_on_is_gone_on_with_after_a_warning(
    tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(this_process(), host="elsewhere", boot="of elsewhere")
    run = tracking.create("what may be run", {KIND: "sweep", OWNER: other.text})

    assert find_resumed(tracking, run.run_id, "sweep")[0].info.run_id == run.run_id
    assert f"sweep {run.run_id} may still be run by process" in caplog.text
    assert "on elsewhere" in caplog.text


def test_what_was_deleted_says_how_it_is_taken_back(tracking: Tracking) -> None:
    run = tracking.create("what was begun", {KIND: "advice"})
    tracking.client.delete_run(run.run_id)

    with pytest.raises(ConfigError, match=rf"mlflow runs restore --run-id {run.run_id}"):
        find_resumed(tracking, run.run_id, "advice")


def test_what_this_process_has_begun_is_gone_on_with(tracking: Tracking) -> None:
    run = tracking.create("what is being run", {KIND: "advice"})

    assert find_resumed(tracking, run.run_id, "advice")[0].info.run_id == run.run_id


MODELS = {"models": "a,b"}


def begun(
    tracking: Tracking, spec_type: Any = SweepSpec, kind: str = "sweep", **values: str
) -> TrackedRun:
    """What a command with these parameters has begun."""
    spec = build(spec_type, values)
    run = tracking.create("a run", {KIND: kind, **command_tag(spec)})
    store_spec(run, spec)
    return run


def latest(
    tracking: Tracking, spec_type: Any = SweepSpec, kind: str = "sweep", **values: str
) -> str:
    """Run id of what a command with these parameters goes on with; empty where it begins one."""
    command = {**values, "resume": "latest", "tracking_uri": tracking.uri}
    return str(resolve_latest(build(spec_type, command), kind).resume)


@pytest.mark.parametrize(
    ("spec_type", "kind", "values"),
    [(SweepSpec, "sweep", {}), (AdviseSpec, "advice", {}), (CompareSpec, "comparison", MODELS)],
)
def test_latest_is_the_newest_of_the_same_command_unless_that_has_finished(
    tracking: Tracking, spec_type: Any, kind: str, values: dict[str, str]
) -> None:
    begun(tracking, spec_type, kind, **values).end("KILLED")
    newest = begun(tracking, spec_type, kind, **values)
    newest.end("FAILED")
    assert latest(tracking, spec_type, kind, **values) == newest.run_id

    begun(tracking, spec_type, kind, **values).end("FINISHED")
    assert latest(tracking, spec_type, kind, **values) == ""


@pytest.mark.parametrize("given", [{"seed": "7"}, {"shard_size": "3"}, {"documents": "mine"}])
def test_another_command_has_no_latest(tracking: Tracking, given: dict[str, str]) -> None:
    begun(tracking, **given).end("KILLED")
    assert latest(tracking) == ""


def test_where_a_command_keeps_things_and_how_long_it_tries_is_not_what_it_is(
    tracking: Tracking,
) -> None:
    run = begun(tracking, cache_dir="/srv/one", max_retries="2", precision="bfloat16")
    run.end("KILLED")
    assert latest(tracking, cache_dir="/srv/two", max_retries="7") == run.run_id


def test_what_others_have_or_could_not_be_gone_on_with_is_no_latest(tracking: Tracking) -> None:
    run = begun(tracking)
    run.end("KILLED")
    tracking.create("too young", {KIND: "sweep", **command_tag(build(SweepSpec, {}))})
    begun(tracking).log(tags={USER: "somebody else"})
    assert latest(tracking) == run.run_id


def test_beside_the_newest_that_another_process_is_at_work_on_one_is_begun(
    tracking: Tracking,
) -> None:
    begun(tracking).end("KILLED")
    run = begun(tracking)
    run.log(tags=of_a_living_process())
    assert latest(tracking) == ""

    run.end("FAILED")
    assert latest(tracking) == run.run_id


def test_latest_whose_artifacts_are_on_another_machine_is_not_passed_over(
    tracking: Tracking,
) -> None:
    begun(tracking).end("KILLED")
    run = begun(tracking)
    run.log(params={"n_questions": "10"})
    run.end("KILLED")
    folder = run.artifact_folder
    assert folder is not None
    shutil.rmtree(folder)

    said = (
        rf"resume=latest: spec\.yaml of run '{run.run_id}' cannot be fetched .*not on this machine"
    )
    with pytest.raises(TrackingError, match=rf"{said}.* leave resume out once"):
        latest(tracking)


def test_contents_that_changed_say_how_another_is_begun() -> None:
    said = "resume=x: corpus_digest was a and is b now; .* leave resume out once, and resume=latest"
    with pytest.raises(ConfigError, match=said):
        check_unchanged("x", {"corpus_digest": "a"}, {"corpus_digest": "b"})


def test_what_a_lost_machine_was_at_work_on_is_the_latest(tracking: Tracking) -> None:
    run = begun(tracking)
    run.log(tags=owned_runs.of_another_host())
    assert latest(tracking) == run.run_id


def test_a_command_that_may_begin_is_checked_as_one_that_does() -> None:
    with pytest.raises(ConfigError, match="models=: name two or more"):
        build(CompareSpec, {"resume": "latest"})
    spec = build(SweepSpec, {"resume": "latest", "engine_path": "/opt/vllm"})
    with pytest.raises(ConfigError, match="engine_path"):
        refuse_unread(spec, ["engine_path"])
