"""Sweeps over a model server: how choices are answered, what a dead server costs, what is kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import small_study
from builders.model_servers import RunningServer, StartServer
from mlflow import MlflowClient

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError, ModelError
from argo_ml.results.records import Results
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import KIND
from argo_ml.verification.verify import verify_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]


@pytest.fixture
def values(tmp_path: Path, cache_dir: Path, tracking_uri: str) -> dict[str, Any]:
    """Parameters of a sweep of seconds."""
    return {
        **small_study.write(tmp_path),
        "model": "server:tiny",
        "n_questions": "4",
        "n_prices": "1",
        "shard_size": "2",
        "max_steps": "2",
        "max_retries": "2",
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
    }


def sweep(values: dict[str, Any], url: str, **more: Any) -> Results:
    return run_sweep(build(SweepSpec, {**values, "server_urls": url, **more}))


def numbers(results: Results) -> list[dict[str, Any]]:
    """Everything but who paid and how long it took."""
    unequal = {"lm_calls_paid", "lm_seconds"}
    return [row.model_dump(exclude=unequal) for cell in results.cells for row in cell.questions]


def sweep_id(uri: str) -> str:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("argo_ml")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'sweep'")
    return str(run.info.run_id)


def test_choices_are_answered_by_number_where_they_cannot_be_scored(
    served: RunningServer, values: dict[str, Any], tmp_path: Path
) -> None:
    results = sweep(values, f"{served.url}/chat/v1")

    client = MlflowClient(values["tracking_uri"])
    stored = client.download_artifacts(results.sweep_id, "spec.yaml", str(tmp_path))
    recorded = [
        logged_params(client.get_run(results.sweep_id))["answering"],
        logged_params(client.get_run(results.cells[0].run_id))["answering"],
        results.spec["answering"],
        yaml.safe_load(Path(stored).read_text())["answering"],
    ]
    assert recorded == ["number"] * 4
    verification = verify_sweep(results.sweep_id, values["tracking_uri"], "argo_ml")
    assert [check.name for check in verification if check.has_failed] == []
    asked = sweep({**values, "experiment": "asked"}, f"{served.url}/chat/v1", answering="number")
    assert [cell.cell_id for cell in asked.cells] == [cell.cell_id for cell in results.cells]


def test_a_sweep_whose_server_died_goes_on_with_another_and_keeps_no_secret(
    served: RunningServer,
    start_server: StartServer,
    values: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ARGO_ML_API_KEY", "s3cret-k3y")
    with start_server(die_after=15, context=4096) as dying:
        url = f"{dying.url}/vllm/v1".replace("http://", "http://me:s3cret-w0rd@")
        with pytest.raises(ModelError, match="cannot be reached") as caught:
            sweep(values, url, max_retries="0")
        assert "\n" not in str(caught.value)
        before = dying.asked()
    n_before = len(served.asked())
    own = {"cache_dir": values["cache_dir"], "tracking_uri": values["tracking_uri"]}
    own["resume"] = sweep_id(values["tracking_uri"])
    with start_server("smaller", context=2048) as smaller:
        with pytest.raises(ConfigError, match=r"answers of 4096 tokens and takes 2048 now"):
            sweep(own, f"{smaller.url}/vllm/v1")
        # They only find out what it can do.
        assert len(smaller.asked()) == 4
    resumed = sweep(own, f"{served.url}/vllm/v1")
    after = served.asked()[n_before:]

    # The first four of each server find out what it can do.
    assert len(before) > 4
    assert set(before[4:]).isdisjoint(after[4:])
    whole = sweep({**values, "cache_dir": str(tmp_path / "whole")}, f"{served.url}/vllm/v1")
    assert numbers(resumed) == numbers(whole)
    assert "s3cret" not in str(caught.value) + caplog.text
    basic = base64.b64encode(b"me:s3cret-w0rd")
    for secret in (b"s3cret", basic):
        assert files_with(tmp_path, secret) == []


def files_with(folder: Path, text: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    return [path for path in files if text in path.read_bytes()]
