"""What a user types, as processes: `mlflow run`, a tracking server, a kill, a second time.

Every environment manager gets one `mlflow run`; a start of the command takes tens of seconds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
from builders import workers
from builders.processes import command, environment, finish, tell_of_opened
from mlflow import MlflowClient
from mlflow.entities import Run

from argo_ml.cli.commands import execute
from argo_ml.config import SweepSpec, build
from argo_ml.sweep.running import load_results, run_sweep
from argo_ml.tracking.runs import KIND, PARENT, SWEEP_ID, connect
from argo_ml.verification.verify import verify_sweep

pytestmark = pytest.mark.slow


def runs_of(uri: str, kind: str) -> list[Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("end")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = '{kind}'"))


def test_small_model_on_a_real_server_twice(
    server: str,
    study: dict[str, str],
    embedded_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The embedded model by `mlflow run`; the second time pays nothing and finds the same."""
    monkeypatch.chdir(tmp_path)
    parameters = {
        **study,
        **of_the_caller(tmp_path),
        "traces": "20",
        "model": "smollm2-135m",
        "n_questions": "2",
        "n_prices": "1",
        "max_steps": "2",
        "strategies": "always_retrieve,always_reason",
    }

    finish(without_experiment(command(parameters)), environment(server), tmp_path)
    check_paths_and_experiment(server)
    again = run_sweep(build(SweepSpec, {**parameters, "tracking_uri": server}))

    second, first = runs_of(server, "sweep")
    cells = runs_of(server, "cell")
    before = load_results(connect(server, "end"), first.info.run_id)
    assert {run.info.status for run in (first, second, *cells)} == {"FINISHED"}
    assert [cell.data.tags[PARENT] for cell in cells].count(first.info.run_id) == 2
    assert first.data.metrics["lm_calls_paid_total"] > 0
    assert second.data.metrics["lm_calls_paid_total"] == 0
    for old, new in zip(before.cells, again.cells, strict=True):
        unpaid = {"lm_calls_paid"}
        assert [row.model_dump(exclude=unpaid) for row in old.questions] == [
            row.model_dump(exclude=unpaid) for row in new.questions
        ]
    found = verify_sweep(second.info.run_id, server, "end")
    assert [check.name for check in found if check.has_failed] == []
    names = {
        item.path for item in MlflowClient(server).list_artifacts(second.info.run_id, "figures")
    }
    assert {"figures/graph_1a.png", "figures/graph_1b.svg"} <= names


def test_killed_run_goes_on_with_resume(
    study: dict[str, str], tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = {**study, "shard_size": "1", "n_prices": "1", "strategies": "argo,random"}
    process = workers.start_project(study, "end", environment(tracking_uri), tmp_path)
    kill_after_first_shard(process, Path(study["cache_dir"]) / "sweeps")
    process.join()
    assert process.exitcode != 0
    [killed] = runs_of(tracking_uri, "sweep")
    before = {run.info.run_id for run in runs_of(tracking_uri, "cell")}
    opened = MlflowClient(tracking_uri).create_run(killed.info.experiment_id)
    tell_of_opened(monkeypatch, tracking_uri, opened.info.run_id)

    resume = ["--resume", killed.info.run_id, "--cache_dir", study["cache_dir"]]
    where = ["--experiment", "end", "--tracking_uri", tracking_uri]
    assert execute(["sweep", *resume, *where]) == 0

    [sweep] = runs_of(tracking_uri, "sweep")
    [pointer] = runs_of(tracking_uri, "resume")
    cells = runs_of(tracking_uri, "cell")
    assert killed.info.status == "FAILED"
    assert (sweep.info.run_id, sweep.info.status) == (killed.info.run_id, "FINISHED")
    assert pointer.data.tags[SWEEP_ID] == sweep.info.run_id
    assert {run.info.run_id for run in cells} == before
    assert [run.info.status for run in cells] == ["FINISHED"] * 2


def of_the_caller(folder: Path) -> dict[str, str]:
    """Documents that are called as the project's are, in an experiment that MLflow is not told."""
    (folder / "documents").rename(folder / "docs")
    return {"documents": "docs", "questions": "questions.jsonl", "experiment": "end"}


def without_experiment(arguments: list[str]) -> list[str]:
    at = arguments.index("--experiment-name")
    return arguments[:at] + arguments[at + 2 :]


def check_paths_and_experiment(uri: str) -> None:
    [sweep] = runs_of(uri, "sweep")
    [pointer] = MlflowClient(uri).search_runs(["0"])
    corpus = next(
        item.dataset for item in sweep.inputs.dataset_inputs if item.tags[0].value == "corpus"
    )
    assert '"size": 4' in corpus.profile
    assert (sweep.info.status, pointer.info.status) == ("FINISHED", "FINISHED")
    assert pointer.data.tags[SWEEP_ID] == sweep.info.run_id


def kill_after_first_shard(process: BaseProcess, sweeps: Path) -> None:
    """Kill the program that the project's run started, without a chance to clean up."""
    while not list(sweeps.glob("*/shard-*.json")):
        assert process.is_alive(), "ended before its first shard"
        time.sleep(0.02)
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()


@pytest.fixture
def environments() -> Iterator[Path]:
    """On a disk wherever other folders are: gigabytes, of which uv links what it has there."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_uv_builds_the_environment_and_runs_in_it(
    study: dict[str, str], tracking_uri: str, tmp_path: Path, environments: Path
) -> None:
    if shutil.which("uv") is None and not (Path(sys.executable).parent / "uv").exists():
        pytest.skip("uv is not installed")
    environ = environment(
        tracking_uri,
        MLFLOW_ENV_ROOT=str(environments),
        UV_FIND_LINKS=pip_setting("find-links"),
        # What the index serves, which need not be PyTorch's own.
        UV_NO_CONFIG="1",
    )

    finish(
        command({**study, "n_prices": "1", "strategies": "argo"}, env_manager="uv"),
        environ,
        tmp_path,
    )

    [sweep] = runs_of(tracking_uri, "sweep")
    assert sweep.info.status == "FINISHED"
    assert len(runs_of(tracking_uri, "cell")) == 1
    assert list(environments.glob("**/bin/argo-ml"))


def pip_setting(name: str) -> str:
    """What pip is told by its configuration, which uv does not read; empty where nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found = [line.split("=", 1)[1].strip("'") for line in done.stdout.splitlines() if name in line]
    return found[0] if found else ""
