"""Whole sweeps by Ray workers on this machine's CPU, against the same sweep in this process."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import sharing_study
from builders.places import at_work_in, copy_with_store, linked_cache
from mlflow import MlflowClient

from argo_ml.config import ExecutorFields, SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.models.cache.store import CallCache
from argo_ml.progress import EPISODES
from argo_ml.results.records import Results
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking.runs import KIND

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures_of_module")]

MakeSpec = Callable[..., SweepSpec]
PLACES = {*ExecutorFields.model_fields, "cache_dir", "resume"}


@pytest.fixture(scope="module")
def sweep_elsewhere(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """Runs the sweep with a cold cache of calls, and gives its ``results.json``."""
    folder = tmp_path_factory.mktemp("ray")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    values = {**sharing_study.write(folder), "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"}

    def run(name: str, report: Callable[..., None] = lambda *_: None, **more: Any) -> str:
        cache = linked_cache(warm_cache, folder / name)
        spec = build(SweepSpec, {**values, "cache_dir": str(cache), **more})
        results = run_sweep(spec, report)
        # In this process a calibration may have made calls that the sweep never needs.
        assert paid_calls(results) == stored_calls(spec) or spec.executor != "ray"
        return stored_text(spec, results, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield run


@pytest.fixture(scope="module")
def expected(sweep_elsewhere: Callable[..., str]) -> str:
    return sweep_elsewhere("local")


@pytest.fixture
def make_spec(cache_dir: Path, tracking_uri: str, tmp_path: Path) -> MakeSpec:
    values = sharing_study.write(tmp_path)
    common = {**values, "cache_dir": str(cache_dir), "tracking_uri": tracking_uri}

    def make(**more: Any) -> SweepSpec:
        return build(SweepSpec, {**common, **more})

    return make


def paid_calls(results: Results) -> int:
    return sum(row.lm_calls_paid for cell in results.cells for row in cell.questions)


def stored_calls(spec: SweepSpec) -> int:
    entries = CallCache(spec.calls_path).stats().entries
    return entries["generate"] + entries["score"]


def stored_text(spec: SweepSpec, results: Results, folder: Path) -> str:
    """The file as stored, without run ids and where the sweep ran."""
    client = MlflowClient(spec.tracking_uri)
    path = client.download_artifacts(results.sweep_id, "results.json", str(folder))
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition(":")[0].strip(' "') not in PLACES]
    return re.sub(r'"(sweep_id|run_id)": "\w+"', r'"\1": ""', "\n".join(kept))


def test_two_workers_give_the_file_that_this_process_gives(
    ray: Any, sweep_elsewhere: Callable[..., str], expected: str
) -> None:
    reports: list[tuple[str, int, int]] = []

    found = sweep_elsewhere("two", lambda *told: reports.append(told), executor="ray", workers="2")

    assert found == expected
    assert [own for own in reports if own[0] == EPISODES][-1] == ("episodes", 32, 32)


def test_a_worker_killed_in_the_middle_changes_nothing(
    ray: Any,
    sweep_elsewhere: Callable[..., str],
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    killed: list[int] = []

    def kill_once(counted: str, n_finished: int, n_episodes: int) -> None:
        if not killed and 0 < n_finished < n_episodes:
            [process, *_] = re.findall(r"worker ready: process (\d+)", caplog.text)
            killed.append(int(process))
            os.kill(killed[0], signal.SIGKILL)

    found = sweep_elsewhere("killed", kill_once, executor="ray", workers="2")

    assert found == expected
    assert "a Ray worker was lost at shard" in caplog.text


def test_without_room_for_the_workers_nothing_starts(ray: Any, make_spec: MakeSpec) -> None:
    with pytest.raises(ConfigError, match="workers=9: there is room for 4 with 0 GPUs"):
        run_sweep(make_spec(executor="ray", workers=9))

    assert sweeps(make_spec()) == []


@pytest.fixture(scope="module")
def kept_interrupted(
    ray: Any, warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The parameters of a sweep by a Ray worker that ended after its first shard."""
    folder = tmp_path_factory.mktemp("interrupted")
    with at_work_in(folder, warm_cache, empty_store) as places:
        values = {**sharing_study.write(folder), **places}
        run_id = interrupted(build(SweepSpec, {**values, "executor": "ray", "workers": "1"}))
    return {**values, "resume": run_id}


@pytest.fixture
def resumable(
    kept_interrupted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The same in a store and a cache of the test's own."""
    folder = tmp_path / "interrupted"
    copy_with_store(Path(kept_interrupted["cache_dir"]).parent, folder)
    monkeypatch.chdir(folder)
    own = {"cache_dir": str(folder / "cache"), "tracking_uri": f"sqlite:///{folder}/mlflow.db"}
    return {**kept_interrupted, **own}


def test_an_interrupted_sweep_goes_on_elsewhere(resumable: dict[str, str]) -> None:
    resumed = run_sweep(build(SweepSpec, {**resumable, "executor": "local"}))

    assert len(resumed.cells[0].questions) == 8


def test_a_resumed_sweep_keeps_its_executor(
    resumable: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    run_sweep(build(SweepSpec, resumable))

    assert "worker ready: process" in caplog.text


def test_without_ray_the_message_names_the_extra(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ConfigError) as refused:
        run_sweep(make_spec(executor="ray"))

    message = 'executor=ray: Ray is not installed; pip install "argo_ml[ray]"'
    assert str(refused.value) == message
    assert sweeps(make_spec()) == []


def test_an_address_where_no_cluster_is_fails_at_once(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pytest.importorskip("ray")
    monkeypatch.setattr(module, "is_initialized", lambda: False)

    with pytest.raises(ConfigError, match=r"ray_address=127\.0\.0\.1:9: no Ray cluster can be"):
        run_sweep(make_spec(executor="ray", ray_address="127.0.0.1:9"))


def test_gpus_are_not_chosen_for_a_ray_that_runs_already(make_spec: MakeSpec) -> None:
    pytest.importorskip("ray")

    with pytest.raises(ConfigError, match=r"gpus=2,3: .* CUDA_VISIBLE_DEVICES=2,3"):
        run_sweep(make_spec(executor="ray", ray_address="auto", gpus="2,3"))


def interrupted(spec: SweepSpec) -> str:
    """The run of a sweep that ended after its first shard."""

    def interrupt(counted: str, n_finished: int, n_episodes: int) -> None:
        if counted == EPISODES and n_finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(spec, interrupt)
    [run] = sweeps(spec)
    assert run.info.status == "KILLED"
    return str(run.info.run_id)


def sweeps(spec: SweepSpec) -> list[Any]:
    client = MlflowClient(spec.tracking_uri)
    experiment = client.get_experiment_by_name("argo_ml")
    if experiment is None:
        return []
    return list(client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'sweep'"))
