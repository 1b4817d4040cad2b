"""Names of metrics and parameters in MLflow: grouped when logged, plain when read."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.entities import Metric, Param, Run, RunData, RunInfo

from argo_ml.tracking.names import logged_metrics, logged_params, metric_name, spec_params


def stored(params: dict[str, str] | None = None, metrics: dict[str, float] | None = None) -> Run:
    info: Any = RunInfo("a run", "1", "me", "FINISHED", 0, 1, "active")
    listed = [Param(name, text) for name, text in (params or {}).items()]
    points = [Metric(name, value, 0, 0) for name, value in (metrics or {}).items()]
    return Run(info, RunData(points, listed, []))


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("accuracy", "accuracy"),
        ("unparsed", "unparsed"),
        ("exact_match", "answers/exact_match"),
        ("stop_limit", "stops/stop_limit"),
        ("gpu_0_memory_peak_mb", "devices/gpu_0_memory_peak_mb"),
        ("mean_utility_always_retrieve", "strategies/mean_utility_always_retrieve"),
        ("utility_c_r_0.02", "by_price/utility_c_r_0.02"),
        ("politeness", "politeness"),
    ],
)
def test_only_what_is_compared_keeps_a_plain_name(name: str, logged: str) -> None:
    assert metric_name(name) == logged
    assert logged_metrics(stored(metrics={logged: 0.5})) == {name: 0.5}


def test_metrics_of_the_system_are_none_of_the_runs_own() -> None:
    run = stored(metrics={"accuracy": 0.5, "system/memory_peak_mb": 7.0})

    assert logged_metrics(run) == {"accuracy": 0.5}


def test_a_spec_leaves_out_what_is_empty_and_groups_what_is_not_compared() -> None:
    values = {"strategy": "argo", "top_k": 5, "calibration": "", "gpus": [], "theta_cont": None}

    assert spec_params({**values, "corpus_digest": "ab12"}) == {
        "strategy": "argo",
        "settings/top_k": 5,
        "digests/corpus_digest": "ab12",
    }


def test_params_of_runs_before_there_were_groups_are_read_as_they_were_used() -> None:
    params = {"n_prices": "", "used.n_prices": "2", "top_k": "5", "corpus_digest": "ab12"}

    assert logged_params(stored(params)) == {"n_prices": "2", "top_k": "5", "corpus_digest": "ab12"}
