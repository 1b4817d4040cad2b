from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
import pytest
from builders import owned_runs
from builders.processes import tell_of_opened
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.orm import Session

from argo_ml.addresses import redacted
from argo_ml.errors import ConfigError, MissingArtifactError, TrackingError
from argo_ml.interruption import checkpoint, finishing_batches
from argo_ml.processes import this_process
from argo_ml.tracking import reconciling, runs
from argo_ml.tracking.environment import DIRTY, packages, source_tags
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.location import RunLocation, locate
from argo_ml.tracking.names import logged_params, spec_params
from argo_ml.tracking.owners import OWNER, is_own, own_tag
from argo_ml.tracking.runs import ERROR, KIND, TrackedRun, Tracking, connect
from argo_ml.tracking.stores import active_experiments, check_reachable, sqlite_path
from argo_ml.tracking.system import (
    LATER_INTERVAL_S,
    MOST_AT_FIRST,
    SAMPLING_INTERVAL_S,
    ThinningMonitor,
    system_metrics,
)


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, "an experiment")


@pytest.fixture
def run(tracking: Tracking) -> TrackedRun:
    return tracking.create("a run", {runs.KIND: "sweep"})


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_experiment_is_created_once(tracking: Tracking, tracking_uri: str) -> None:
    assert connect(tracking_uri, "an experiment").experiment_id == tracking.experiment_id


def test_deleted_experiment_is_an_error(tracking: Tracking, tracking_uri: str) -> None:
    tracking.client.delete_experiment(tracking.experiment_id)

    with pytest.raises(TrackingError, match="experiment='an experiment' was deleted"):
        connect(tracking_uri, "an experiment")


def test_run_has_name_tags_and_source(tracking: Tracking, run: TrackedRun) -> None:
    stored = tracking.get(run.run_id)

    assert stored.info.run_name == "a run"
    assert stored.info.status == "RUNNING"
    assert stored.data.tags[runs.KIND] == "sweep"
    assert stored.data.tags["mlflow.source.name"] == "argo-ml"


def test_a_run_names_its_process_and_its_model_where_a_key_is_a_word_of_them(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNC_PASSWORD", this_process().text[:8])
    monkeypatch.setenv("OPENAI_API_KEY", "ollama")

    run = tracking.create("a run", {"argo.model": "server:ollama"})
    run.log(params={"model": "server:ollama"}, tags=own_tag())

    stored = tracking.get(run.run_id)
    assert is_own(stored)
    assert stored.data.tags["argo.model"] == stored.data.params["model"] == "server:ollama"


def test_an_interruption_leaves_no_transaction_open(
    tracking: Tracking, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Session.commit

    def interrupted(session: Session) -> None:
        session.flush()
        os.kill(os.getpid(), signal.SIGINT)
        written(session)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Session, "commit", interrupted)
        run.log(metrics={"accuracy": 0.5})
    assert run.fail(KeyboardInterrupt())
    stored = tracking.get(run.run_id)
    assert (stored.info.status, stored.data.metrics) == ("KILLED", {"accuracy": 0.5})


def test_everything_is_logged_at_once(tracking: Tracking, run: TrackedRun) -> None:
    run.log(
        params={"model": "m", "gpus": (0, 1), "n_questions": None},
        metrics={"accuracy": 0.5},
        tags={"color": "red"},
        step=10,
    )

    data = tracking.get(run.run_id).data
    assert data.params == {"model": "m", "gpus": "0,1", "n_questions": ""}
    assert data.metrics == {"accuracy": 0.5}
    assert data.tags["color"] == "red"
    [point] = tracking.client.get_metric_history(run.run_id, "accuracy")
    assert point.step == 10


def test_more_points_than_a_request_takes_are_all_logged(
    tracking: Tracking, run: TrackedRun
) -> None:
    values = {f"metric_{number}": float(number) for number in range(90)}
    earlier = {step: values for step in range(1, 25)}

    run.log(params={"seed": 42}, metrics=values, tags={"color": "red"}, step=25, curves=earlier)

    data = tracking.get(run.run_id).data
    assert (data.params, data.metrics) == ({"seed": "42"}, values)
    assert data.tags["color"] == "red"
    for name in ("metric_0", "metric_89"):
        curve = tracking.client.get_metric_history(run.run_id, name)
        assert sorted(point.step for point in curve) == list(range(1, 26))


def test_later_step_is_the_metrics_value(tracking: Tracking, run: TrackedRun) -> None:
    run.log(metrics={"accuracy": 0.9}, step=10)
    run.log(metrics={"accuracy": 0.4}, step=20)

    assert tracking.get(run.run_id).data.metrics == {"accuracy": 0.4}


def test_param_logged_by_mlflow_stays_and_the_used_value_is_named(
    tracking: Tracking, run: TrackedRun
) -> None:
    tracking.client.log_param(run.run_id, "mu", "1")
    tracking.client.log_param(run.run_id, "n_prices", "")

    run.log(params=spec_params({"mu": 1.0, "n_prices": 2, "gamma": 0.98, "calibration": ""}))

    params = tracking.get(run.run_id).data.params
    assert params == {"mu": "1", "n_prices": "", "settings/n_prices": "2", "settings/gamma": "0.98"}
    assert logged_params(tracking.get(run.run_id)) == {"mu": "1", "n_prices": "2", "gamma": "0.98"}


def test_logging_the_same_params_again_changes_nothing(tracking: Tracking, run: TrackedRun) -> None:
    run.log(params={"mu": 1.0})
    run.log(params={"mu": 1.0})

    assert tracking.get(run.run_id).data.params == {"mu": "1.0"}


def test_warnings_are_logged_tagged_and_described_once_each(
    tracking: Tracking, run: TrackedRun, caplog: pytest.LogCaptureFixture
) -> None:
    run.log(tags={runs.NOTE: "A sweep."})

    for message in ("GPU 0 is idle", "GPU 1 is warm", "GPU 0 is idle"):
        run.warn(message)

    tags = tracking.get(run.run_id).data.tags
    assert tags[runs.WARNING] == "GPU 0 is idle\nGPU 1 is warm"
    assert tags[runs.NOTE] == (
        "A sweep.\n\n**Warning:** GPU 0 is idle\n\n**Warning:** GPU 1 is warm"
    )
    assert caplog.messages.count("GPU 0 is idle") == 2


def test_a_conclusion_keeps_the_warnings_before_its_figures(
    tracking: Tracking, run: TrackedRun
) -> None:
    run.log(tags={runs.NOTE: "What is known before."})
    run.warn("GPU 0 is idle")
    run.warn("GPU 1 is warm")

    run.describe("The answer.", "![graph](graph.svg)")

    assert tracking.get(run.run_id).data.tags[runs.NOTE] == (
        "The answer.\n\n**Warning:** GPU 0 is idle\n\n**Warning:** GPU 1 is warm\n\n"
        "![graph](graph.svg)"
    )


def test_datasets_are_recorded_with_their_digests(tracking: Tracking, run: TrackedRun) -> None:
    run.log_inputs(
        [
            InputDataset("atlas-hard-test", "d" * 64, "argo_ml atlas", "questions", 10),
            InputDataset("corpus", "e1", "docs", "corpus", 300),
        ]
    )

    inputs = tracking.get(run.run_id).inputs.dataset_inputs
    by_name = {item.dataset.name: item for item in inputs}
    assert by_name["atlas-hard-test"].dataset.digest == "d" * 36
    assert by_name["corpus"].tags[0].value == "corpus"
    schema = json.loads(by_name["corpus"].dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in schema] == ["id", "title", "text", "source"]
    assert by_name["corpus"].dataset.profile == '{"size": 300, "num_rows": 300}'


def test_the_source_of_a_dataset_is_the_whole_path_or_the_words_that_it_has(
    tracking: Tracking, run: TrackedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.jsonl"
    path.touch()

    run.log_inputs(
        [
            InputDataset("my.jsonl-test", "d1", "my.jsonl", "questions", 10),
            InputDataset("corpus", "e1", "argo_ml atlas", "corpus", 300),
        ]
    )

    inputs = tracking.get(run.run_id).inputs.dataset_inputs
    sources = {item.dataset.name: mlflow.data.get_source(item).to_dict() for item in inputs}
    assert sources["my.jsonl-test"] == {"uri": str(path.resolve())}
    assert sources["corpus"] == {"uri": "argo_ml atlas"}


def described(tracking: Tracking) -> str:
    """What the experiment's page says first."""
    tags = tracking.client.get_experiment(tracking.experiment_id).tags
    return str(tags.get(runs.NOTE, ""))


def test_the_page_of_an_experiment_says_what_a_run_came_to_that_is_no_part_of_another(
    tracking: Tracking,
) -> None:
    advice = tracking.create("advice", {runs.KIND: "advice"})
    stage = tracking.create_child(advice, "tune", {runs.KIND: "sweep"})

    stage.describe_experiment("What was chosen on.")
    assert described(tracking) == ""
    advice.describe_experiment("Retrieve below 0.1.\nNot above.")
    assert f"/runs/{advice.run_id})" in described(tracking).splitlines()[0]
    assert "[latest advice](" in described(tracking)
    assert "Retrieve below 0.1.\n\nNot above." in described(tracking)


def test_a_run_below_one_of_another_program_is_a_whole(tracking: Tracking) -> None:
    theirs = tracking.client.create_run(tracking.experiment_id).info.run_id
    tags = {runs.KIND: "sweep", runs.PARENT: theirs}
    tracking.create("sweep", tags).describe_experiment("Retrieve below 0.1.")
    assert "Retrieve below 0.1." in described(tracking)


def test_what_somebody_else_has_written_of_an_experiment_stays(
    tracking: Tracking, run: TrackedRun
) -> None:
    tracking.client.set_experiment_tag(tracking.experiment_id, runs.NOTE, "Ours.")
    run.describe_experiment("Retrieve below 0.1.")
    assert described(tracking) == "Ours."


def test_folder_is_stored_and_fetched(tracking: Tracking, run: TrackedRun, tmp_path: Path) -> None:
    folder = tmp_path / "upload" / "figures"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("text", encoding="utf-8")

    run.log_folder(tmp_path / "upload")

    target = tmp_path / "download"
    target.mkdir()
    fetched = tracking.download(run.run_id, "figures/a.txt", target)
    assert fetched.read_text(encoding="utf-8") == "text"


def test_missing_artifact_is_an_error(tracking: Tracking, run: TrackedRun, tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match=r"has no artifact 'results\.json'"):
        tracking.download(run.run_id, "results.json", tmp_path)


NOT_FETCHED = (
    "The following failures occurred while downloading one or more artifacts from "
    "mlflow-artifacts:/1/2:\n##### File figures/a.txt #####\n"
    "504 Server Error: Gateway Time-out\nmore"
)


@pytest.mark.parametrize("is_listed", [True, False])
def test_an_artifact_that_cannot_be_fetched_is_not_called_missing(
    tracking: Tracking,
    run: TrackedRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_listed: bool,
) -> None:
    def refuse(*_: object) -> None:
        raise MlflowException(NOT_FETCHED)

    (tmp_path / "upload" / "figures").mkdir(parents=True)
    (tmp_path / "upload" / "figures" / "a.txt").write_text("text", encoding="utf-8")
    run.log_folder(tmp_path / "upload")
    monkeypatch.setattr(MlflowClient, "download_artifacts", refuse)
    if not is_listed:
        monkeypatch.setattr(MlflowClient, "list_artifacts", refuse)

    with pytest.raises(TrackingError, match=r"cannot be fetched .*: 504 .* Time-out\)$") as raised:
        tracking.download(run.run_id, "figures/a.txt", tmp_path)

    assert not isinstance(raised.value, MissingArtifactError)


def test_a_run_that_cannot_be_looked_up_is_not_called_missing(
    tracking: Tracking, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MlflowException("API request failed with 503")

    monkeypatch.setattr(MlflowClient, "get_run", refuse)
    with pytest.raises(TrackingError, match=r"^tracking_uri=.*: API request failed with 503$"):
        tracking.get(run.run_id)


def test_unknown_run_is_an_error(tracking: Tracking) -> None:
    with pytest.raises(TrackingError, match="run 'nosuchrun' is not in sqlite"):
        tracking.get("nosuchrun")


def test_error_ends_the_run_as_failed_with_it(tracking: Tracking, run: TrackedRun) -> None:
    with pytest.raises(ConfigError), run.recording_failure():
        raise ConfigError("mu=-1: must be at least 0")

    stored = tracking.get(run.run_id)
    assert stored.info.status == "FAILED"
    assert stored.data.tags[runs.ERROR] == "mu=-1: must be at least 0"


def test_a_stop_of_a_job_that_an_error_has_ended_stops_no_later_one(run: TrackedRun) -> None:
    with pytest.raises(ConfigError), run.recording_failure():
        with finishing_batches():
            os.kill(os.getpid(), signal.SIGINT)
        raise ConfigError("the disk is full")
    checkpoint()


def test_unexpected_error_is_named_by_its_type(tracking: Tracking, run: TrackedRun) -> None:
    run.fail(KeyError("x"))

    assert tracking.get(run.run_id).data.tags[runs.ERROR] == "KeyError: 'x'"


def test_interruption_ends_the_run_as_killed(tracking: Tracking, run: TrackedRun) -> None:
    with pytest.raises(KeyboardInterrupt), run.recording_failure():
        raise KeyboardInterrupt

    stored = tracking.get(run.run_id)
    assert stored.info.status == "KILLED"
    assert stored.data.tags[runs.ERROR] == "interrupted"


def test_a_run_ends_before_those_below_it(
    tracking: Tracking, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tracking.create_child(run, "a cell", {KIND: "cell"})
    ended: list[str] = []
    terminate = MlflowClient.set_terminated

    def noted(client: MlflowClient, run_id: str, status: str) -> None:
        ended.append(run_id)
        terminate(client, run_id, status)

    monkeypatch.setattr(MlflowClient, "set_terminated", noted)
    run.fail(KeyboardInterrupt())

    assert ended == [run.run_id, child.run_id]


def test_a_run_that_others_are_at_work_on_stays_theirs(tracking: Tracking, run: TrackedRun) -> None:
    other = owned_runs.of_another_host()
    run.log(tags={OWNER: f"{other[OWNER]}\n{this_process().text}"})
    child = tracking.create_child(run, "a trial", {KIND: "trial"})
    with pytest.raises(ConfigError), run.recording_failure(beside_others=True):
        raise ConfigError("no such model")
    left = tracking.get(run.run_id)
    assert (left.info.status, left.data.tags[OWNER]) == ("RUNNING", other[OWNER])
    assert ERROR not in left.data.tags
    assert tracking.get(child.run_id).data.tags[ERROR] == "no such model"


def test_a_run_that_nobody_else_is_at_work_on_ends(tracking: Tracking, run: TrackedRun) -> None:
    with pytest.raises(ConfigError), run.recording_failure(beside_others=True):
        raise ConfigError("no such model")
    assert tracking.get(run.run_id).info.status == "FAILED"


def test_a_run_that_is_not_there_is_none(tracking: Tracking, run: TrackedRun) -> None:
    assert tracking.get_or_none("0" * 32) is None
    found = tracking.get_or_none(run.run_id)
    assert found is not None and found.info.run_id == run.run_id


def test_reopened_run_is_running_and_without_its_error(tracking: Tracking, run: TrackedRun) -> None:
    run.fail(ConfigError("broken"))

    run.reopen()

    stored = tracking.get(run.run_id)
    assert stored.info.status == "RUNNING"
    assert runs.ERROR not in stored.data.tags


def test_error_survives_a_store_that_is_gone(
    run: TrackedRun, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    gone = TrackedRun(MlflowClient(f"http://127.0.0.1:{closed_port}"), run.run_id)

    with caplog.at_level(logging.WARNING), pytest.raises(ConfigError), gone.recording_failure():
        raise ConfigError("the first error")

    assert f"run {run.run_id} could not be ended" in caplog.text


def test_store_that_refuses_is_one_line(run: TrackedRun, tracking: Tracking) -> None:
    tracking.client.delete_run(run.run_id)

    with pytest.raises(TrackingError, match=r"^tracking_uri=sqlite.*deleted") as caught:
        run.log(metrics={"accuracy": 1.0})

    assert "\n" not in str(caught.value)


def test_children_are_those_of_the_parent_alone(tracking: Tracking, run: TrackedRun) -> None:
    child = tracking.create_child(run, "a cell", {runs.KIND: "cell"})
    tracking.create("elsewhere", {})

    assert [run_of_parent.info.run_id for run_of_parent in tracking.children(run.run_id)] == [
        child.run_id
    ]


def test_latest_finished_run_of_a_kind(tracking: Tracking, run: TrackedRun) -> None:
    assert tracking.latest_finished("sweep") is None
    run.end()
    tracking.create("another kind", {runs.KIND: "cell"}).end()
    tracking.create("unfinished", {runs.KIND: "sweep"})

    latest = tracking.latest_finished("sweep")

    assert latest is not None and latest.info.run_id == run.run_id


def test_the_latest_run_is_that_of_this_user_where_there_is_one(
    tracking: Tracking, run: TrackedRun
) -> None:
    other = tracking.create("of a colleague", {runs.KIND: "sweep", "mlflow.user": "colleague"})
    other.end()
    alone = tracking.latest_finished("sweep")
    run.end()
    tracking.create("later", {runs.KIND: "sweep", "mlflow.user": "colleague"}).end()

    latest = tracking.latest_finished("sweep")

    assert alone is not None and alone.info.run_id == other.run_id
    assert latest is not None and latest.info.run_id == run.run_id


def test_all_experiments_of_a_store_are_listed_page_by_page(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        tracking.client.create_experiment(f"experiment {number}")
    ask = tracking.client.search_experiments
    monkeypatch.setattr(
        tracking.client, "search_experiments", lambda **given: ask(**{**given, "max_results": 2})
    )

    names = [experiment.name for experiment in active_experiments(tracking.client)]

    assert sorted(names) == [
        "Default",
        "an experiment",
        "experiment 0",
        "experiment 1",
        "experiment 2",
    ]


def test_artifacts_beside_a_database_of_several_machines_are_warned_of(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shared = Tracking(tracking.client, tracking.experiment_id, "postgresql://host/mlflow")
    monkeypatch.setattr(reconciling, "connect", lambda *_: shared)
    monkeypatch.setattr(reconciling, "reconcile", lambda _: None)

    reconciling.open_experiment("postgresql://host/mlflow", "an experiment")

    assert "on each machine that tracks in this database" in caplog.text


def test_of_a_service_with_pages_of_its_own_no_address_is_made_up() -> None:
    place = RunLocation("databricks://team", "3", "argo_ml", "r1")

    assert (place.command, place.address) == ("", "")


def test_run_opened_by_mlflow_is_adopted_once_in_its_own_experiment(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(tracking_uri)
    experiment_id = client.create_experiment("opened by mlflow run")
    opened = client.create_run(experiment_id).info.run_id
    tell_of_opened(monkeypatch, tracking_uri, opened)

    tracking = connect(tracking_uri, "")
    first = tracking.adopt_or_create("a sweep", {runs.KIND: "sweep"})
    second = tracking.adopt_or_create("a second", {})

    assert tracking.experiment_id == experiment_id
    assert first.run_id == opened
    assert second.run_id != opened
    stored = tracking.get(opened)
    assert stored.info.run_name == "a sweep"
    assert stored.data.tags[runs.KIND] == "sweep"
    assert stored.data.tags.get(DIRTY) == source_tags().get(DIRTY)


def test_refused_server_is_an_error_within_seconds(closed_port: int) -> None:
    with pytest.raises(TrackingError, match=r"cannot be reached .*start it with `mlflow server`"):
        connect(f"http://127.0.0.1:{closed_port}", "x")


def test_refused_database_server_is_an_error_that_hides_the_password(closed_port: int) -> None:
    with pytest.raises(TrackingError, match="cannot be reached") as caught:
        check_reachable(f"postgresql://me:secret@127.0.0.1:{closed_port}/runs")

    assert "secret" not in str(caught.value)


def test_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("This is not a database, whatever its name may say.", encoding="utf-8")

    with pytest.raises(TrackingError, match="file is not a database"):
        connect(f"sqlite:///{path}", "x")


def test_folder_store_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="maintenance mode") as caught:
        connect(str(tmp_path / "mlruns"), "x")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///mlflow.db", Path("mlflow.db")),
        ("sqlite:////data/mlflow.db", Path("/data/mlflow.db")),
        ("postgresql://host/runs", None),
        ("http://host:5000", None),
    ],
)
def test_path_of_an_sqlite_store(uri: str, path: Path | None) -> None:
    assert sqlite_path(uri) == path


def test_password_is_not_shown() -> None:
    assert redacted("mysql://me:pw@host/x") == "mysql://me:PASSWORD@host/x"
    assert redacted("http://host:5000") == "http://host:5000"


def test_run_is_located_in_its_experiment(tracking: Tracking, run: TrackedRun) -> None:
    location = locate(run.run_id)

    assert (location.experiment, location.experiment_id) == (
        "an experiment",
        tracking.experiment_id,
    )
    assert location.uri == tracking.uri


def test_local_store_is_opened_with_mlflow_ui() -> None:
    place = RunLocation("sqlite:////a b/mlflow.db", "3", "argo_ml", "r1")

    assert place.command == "mlflow ui --backend-store-uri 'sqlite:////a b/mlflow.db'"
    assert place.address == "http://127.0.0.1:5000/#/experiments/3/runs/r1"


def test_the_port_that_mlflow_is_told_by_its_variable_is_that_of_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "5050")

    place = RunLocation("sqlite:///mlflow.db", "3", "argo_ml", "r1")

    assert place.address == "http://127.0.0.1:5050/#/experiments/3/runs/r1"


def test_server_needs_no_command() -> None:
    place = RunLocation("http://host:5000/", "3", "argo_ml", "r1")

    assert place.command == ""
    assert place.address == "http://host:5000/#/experiments/3/runs/r1"


def test_system_metrics_become_time_series_of_the_run(
    tracking: Tracking, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")

    with system_metrics(run):
        for _ in range(300):
            metrics = tracking.get(run.run_id).data.metrics
            if "system/cpu_utilization_percentage" in metrics:
                break

    assert "system/cpu_utilization_percentage" in tracking.get(run.run_id).data.metrics


def test_system_metrics_are_sampled_less_often_after_an_hour(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor: Any = ThinningMonitor(run.run_id, sampling_interval=SAMPLING_INTERVAL_S)
    monitor.publish_metrics({"cpu": 1.0})
    assert monitor.sampling_interval == SAMPLING_INTERVAL_S
    monitor._logging_step = MOST_AT_FIRST
    monitor.publish_metrics({"cpu": 1.0})
    assert monitor.sampling_interval == LATER_INTERVAL_S

    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "2")
    given: Any = ThinningMonitor(run.run_id)
    given._logging_step = MOST_AT_FIRST
    given.publish_metrics({"cpu": 1.0})
    assert given.sampling_interval == 2.0


class SilentMonitor:
    """Tries to log the last samples until it is let go."""

    let_go, has_ended = threading.Event(), threading.Event()

    def __init__(self, *_: object, **__: object) -> None: ...

    def start(self) -> None: ...

    def finish(self) -> None:
        self.let_go.wait(30)
        self.has_ended.set()


def test_an_error_does_not_wait_for_system_metrics_that_no_store_takes(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argo_ml.tracking.system.ThinningMonitor", SilentMonitor)
    monkeypatch.setattr("argo_ml.tracking.system.LAST_WORDS_S", 0.1)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), system_metrics(run):
        raise KeyboardInterrupt
    assert time.monotonic() - started < 10
    SilentMonitor.let_go.set()
    assert SilentMonitor.has_ended.wait(10)


def test_system_metrics_that_are_interrupted_while_they_begin_end(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    class Interrupted(SilentMonitor):
        def start(self) -> None:
            raise KeyboardInterrupt

        def finish(self) -> None:
            ended.append("monitor")

    monkeypatch.setattr("argo_ml.tracking.system.ThinningMonitor", Interrupted)
    with pytest.raises(KeyboardInterrupt), system_metrics(run):
        pass
    assert ended == ["monitor"]


def test_packages_are_listed_as_a_requirements_file() -> None:
    lines = packages().splitlines()

    assert lines[0].startswith("# Python 3.")
    assert any(line.startswith("mlflow==3.") for line in lines)


@pytest.mark.parametrize(("opened_in", "named"), [("opened", "wanted"), ("Default", "")])
def test_run_opened_elsewhere_points_to_the_one_in_the_wanted_experiment(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch, opened_in: str, named: str
) -> None:
    client = MlflowClient(tracking_uri)
    home = client.get_experiment_by_name(opened_in)
    experiment_id = home.experiment_id if home else client.create_experiment(opened_in)
    opened = client.create_run(experiment_id).info.run_id
    tell_of_opened(monkeypatch, tracking_uri, opened)

    tracking = connect(tracking_uri, named)
    run = tracking.adopt_or_create("a sweep", {runs.KIND: "sweep"})

    pointer = client.get_run(opened)
    assert tracking.experiment_name == (named or "argo_ml")
    assert run.run_id != opened
    assert pointer.data.tags[runs.SWEEP_ID] == run.run_id
    assert (pointer.info.status, pointer.info.run_name) == ("FINISHED", "to a sweep")


def test_run_opened_in_another_store_points_to_the_one_in_the_wanted_store(
    tracking_uri: str, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(empty_store, tmp_path / "other.db")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    client = MlflowClient(tracking_uri)
    opened = client.create_run("0").info.run_id
    tell_of_opened(monkeypatch, tracking_uri, opened)

    run = connect(other, "").adopt_or_create("a sweep", {runs.KIND: "sweep"})

    pointer = client.get_run(opened)
    assert pointer.data.tags[runs.SWEEP_ID] == run.run_id
    assert (pointer.info.status, pointer.data.tags[KIND]) == ("FINISHED", "resume")
    assert MlflowClient(other).get_run(run.run_id).info.status == "RUNNING"


def used_by_a_sweep(client: MlflowClient) -> str:
    return str(client.create_run("0", tags={KIND: "sweep"}).info.run_id)


def ended(client: MlflowClient) -> str:
    run_id = str(client.create_run("0").info.run_id)
    client.set_terminated(run_id)
    return run_id


def deleted(client: MlflowClient) -> str:
    run_id = str(client.create_run("0").info.run_id)
    client.delete_run(run_id)
    return run_id


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (used_by_a_sweep, "names the sweep of another command"),
        (ended, "names a run that has ended"),
        (deleted, "names a run that was deleted"),
        (lambda _: "nosuchrun", "names no run of sqlite"),
    ],
)
def test_a_variable_that_stayed_in_the_environment_is_left_alone(
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[MlflowClient], str],
    said: str,
) -> None:
    client = MlflowClient(tracking_uri)
    named = make(client)
    before = None if named == "nosuchrun" else client.get_run(named).to_dictionary()
    tell_of_opened(monkeypatch, tracking_uri, named)

    tracking = connect(tracking_uri, "")
    run = tracking.adopt_or_create("a study", {runs.KIND: "study"})

    assert run.run_id != named
    assert tracking.experiment_name == "argo_ml"
    assert tracking.opened_run() is None
    assert caplog.text.count(said) == 1
    assert before is None or client.get_run(named).to_dictionary() == before


def test_experiment_is_the_one_that_a_notebook_has_set(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment_id = MlflowClient(tracking_uri).create_experiment("team")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)

    assert connect(tracking_uri, "").experiment_name == "team"
    assert connect(tracking_uri, "by name").experiment_name == "by name"


def test_what_lies_on_another_machine_is_not_called_missing(tracking: Tracking) -> None:
    run = tracking.create("begun elsewhere", {runs.KIND: "sweep"})
    run.log(params={"n_questions": "10"})
    shutil.rmtree(urlsplit(tracking.get(run.run_id).info.artifact_uri).path, ignore_errors=True)

    with pytest.raises(TrackingError, match="cannot be fetched") as raised:
        tracking.download(run.run_id, "spec.yaml", Path("unused"))

    assert not isinstance(raised.value, MissingArtifactError)


def test_an_experiment_of_another_store_is_not_looked_for(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")

    assert connect(tracking_uri, "").experiment_name == "argo_ml"
    assert connect(tracking_uri, "").experiment_name == "argo_ml"


def test_an_experiment_that_a_notebook_has_set_is_of_its_store_alone(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    connect(other, "of a colleague")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("mine")

    assert connect(other, "").experiment_name == "argo_ml"
    assert connect(tracking_uri, "").experiment_name == "mine"
    assert connect(other, "").experiment_name == "argo_ml"


def test_an_experiment_that_is_gone_is_said_with_the_variable_that_names_it(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(tracking_uri)
    gone = client.create_experiment("gone")
    client.delete_experiment(gone)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", gone)
    with pytest.raises(TrackingError, match=f"MLFLOW_EXPERIMENT_ID={gone} was deleted"):
        connect(tracking_uri, "")

    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "99")
    with pytest.raises(TrackingError, match=r"MLFLOW_EXPERIMENT_ID=99 is not in sqlite.*; unset"):
        connect(tracking_uri, "")


def test_experiment_is_the_one_that_mlflow_is_told_of_unless_named(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by environment")

    assert connect(tracking_uri, "").experiment_name == "by environment"
    assert connect(tracking_uri, "by name").experiment_name == "by name"
