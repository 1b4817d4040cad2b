"""A replay's metrics beside its rows, also where another version or installation made it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from builders import result_builders

from argo_ml.config import SweepSpec
from argo_ml.results.metrics import ALL_METRICS, cell_metrics
from argo_ml.results.records import Results
from argo_ml.verification import numbers
from argo_ml.verification.recomputed import replay_faults


def faults(**changes: float | None) -> list[str]:
    """Of a replay whose first cell has other metrics; None: not that one."""
    results = result_builders.results(SweepSpec(n_questions=6, retrieval_costs="0.1"))
    first, *others = results.cells
    metrics = {**first.metrics, **changes}
    kept = {name: value for name, value in metrics.items() if value is not None}
    return _faults(results.model_copy(update={"cells": (with_metrics(first, kept), *others)}))


def with_metrics(cell: Any, metrics: dict[str, float]) -> Any:
    return cell.model_copy(update={"metrics": metrics})


def _faults(results: Results) -> list[str]:
    run = SimpleNamespace(info=SimpleNamespace(status="FINISHED"))
    record: Any = SimpleNamespace(run=run, results=lambda: results)
    return replay_faults(record)


def test_a_metric_that_does_not_follow_from_the_rows_is_named() -> None:
    assert faults() == []
    [fault] = faults(accuracy=0.123)
    assert "c_r=0.1: accuracy is 0.123, recomputed" in fault


def test_a_replay_of_an_earlier_version_lacks_what_that_one_did_not_know() -> None:
    assert faults(repeated_retrievals=None, unanswered=None) == []
    [fault] = faults(accuracy=None)
    assert "accuracy is None, recomputed" in fault


def test_a_metric_that_was_installed_since_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def with_another(*asked: Any) -> dict[str, float]:
        return {**cell_metrics(*asked), "my_metric": 0.5}

    monkeypatch.setattr(numbers, "cell_metrics", with_another)
    monkeypatch.setattr(type(ALL_METRICS), "is_plugin", lambda self, name: name == "my_metric")

    assert faults() == []
    [fault] = faults(my_metric=0.25)
    assert "my_metric is 0.25, recomputed 0.5" in fault
