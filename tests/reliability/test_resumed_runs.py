"""A sweep killed between two things that it records has, once resumed, all that it would have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import recorded_runs, small_study, workers
from builders.places import linked_cache
from mlflow import MlflowClient

pytestmark = pytest.mark.slow
JOIN_S = 240
KILLS = {
    "before the params of the second cell": ("argo_ml.sweep.cell_run.CellRun.start", 2),
    "before the inputs of the first cell": ("argo_ml.tracking.runs.TrackedRun.log_inputs", 2),
    "between journal and curves": ("argo_ml.sweep.cell_run.CellRun.log_progress", 4),
    "before a cell ends that has all": ("argo_ml.tracking.runs.TrackedRun.end", 2),
    "before the sweep ends": ("argo_ml.sweep.stages.store_report", 1),
}


@pytest.fixture
def values(warm_cache: Path, tracking_uri: str, tmp_path: Path) -> dict[str, str]:
    script = tmp_path / "script.json"
    sources = small_study.write(tmp_path)
    script.write_text(json.dumps({"default": "hash"}))
    return {**sources, "n_prices": "1", "tracking_uri": tracking_uri}


def of_its_own(values: dict[str, str], warm_cache: Path, folder: Path) -> dict[str, str]:
    folder.mkdir()
    cache = linked_cache(warm_cache, folder / "cache")
    return {**values, "cache_dir": str(cache), "experiment": folder.name}


def sweep_id(client: MlflowClient, experiment: str) -> str:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    [run] = client.search_runs([found.experiment_id], "tags.`argo.kind` = 'sweep'")
    return str(run.info.run_id)


def finish(values: dict[str, str]) -> None:
    process = workers.start_sweep(values)
    process.join(JOIN_S)
    assert process.exitcode == 0


def test_what_was_not_recorded_before_a_kill_is_recorded_by_resuming(
    values: dict[str, str], warm_cache: Path, tmp_path: Path
) -> None:
    client = MlflowClient(values["tracking_uri"])
    whole = of_its_own(values, warm_cache, tmp_path / "whole")
    finish(whole)
    expected = recorded_runs.recorded(client, sweep_id(client, "whole"))
    assert [point[0] for point in expected["random c_r=0.02"]["metrics"]["cost"]] == [3, 6, 8]

    for number, (moment, (function, n_calls)) in enumerate(KILLS.items()):
        killed = of_its_own(values, warm_cache, tmp_path / f"killed-{number}")
        process = workers.start_sweep_killed_at(killed, function, n_calls)
        process.join(JOIN_S)
        assert process.exitcode == -9, moment
        run_id = sweep_id(client, killed["experiment"])
        finish({**killed, "resume": run_id})
        assert recorded_runs.recorded(client, run_id) == expected, moment
