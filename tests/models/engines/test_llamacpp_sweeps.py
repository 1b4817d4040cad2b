"""Sweeps through a real llama.cpp server: killed, stopped and resumed, and known already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from builders import small_study
from builders.places import linked_cache

from argo_ml.config import ExperimentSpec, SweepSpec, build
from argo_ml.models.engines import process
from argo_ml.results.records import Results
from argo_ml.sweep.running import run_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

REPORTS_TO_KILL, REPORTS_TO_STOP = 3, 6
"""Of progress, of which a sweep here makes many more."""


@pytest.fixture
def values(
    llama_spec: ExperimentSpec, tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> dict[str, Any]:
    """Parameters of a sweep of seconds; one request at a time, whose batch nothing else is in."""
    return {
        **small_study.write(tmp_path),
        "model": llama_spec.model,
        "engine": "llamacpp",
        "device": "cpu",
        "threads": "1",
        "n_questions": "4",
        "n_prices": "1",
        "shard_size": "1",
        "server_concurrency": "1",
        "max_steps": "2",
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
    }


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[process.EngineProcess]:
    """Servers by the time that they are started, in order."""
    starts: list[process.EngineProcess] = []
    start = process.EngineProcess._start

    def noted(server: process.EngineProcess) -> None:
        starts.append(server)
        start(server)

    monkeypatch.setattr(process.EngineProcess, "_start", noted)
    return starts


def sweep(values: dict[str, Any], on_progress: Any = lambda *_: None, **more: Any) -> Results:
    return run_sweep(build(SweepSpec, {**values, **more}), on_progress)


def numbers(results: Results) -> list[dict[str, Any]]:
    """Everything but who paid and how long it took."""
    unequal = {"lm_calls_paid", "lm_seconds"}
    return [row.model_dump(exclude=unequal) for cell in results.cells for row in cell.questions]


def n_paid(results: Results) -> int:
    return sum(row.lm_calls_paid for cell in results.cells for row in cell.questions)


def test_a_sweep_whose_calls_are_known_starts_no_server(
    values: dict[str, Any], started: list[process.EngineProcess]
) -> None:
    first = sweep(values)
    assert (n_paid(first) > 10, len(started)) == (True, 1)
    again = sweep(values)
    assert numbers(again) == numbers(first)
    assert (n_paid(again), len(started)) == (0, 1)


def test_a_sweep_whose_server_was_killed_and_that_was_stopped_goes_on_to_the_same_end(
    values: dict[str, Any], started: list[process.EngineProcess], cache_dir: Path, tmp_path: Path
) -> None:
    n_reports = 0

    def kill_then_stop(*_: Any) -> None:
        nonlocal n_reports
        n_reports += 1
        if n_reports == REPORTS_TO_KILL:
            [guard] = started[-1]._holder
            [server] = psutil.Process(guard.pid).children()
            server.kill()
        if n_reports == REPORTS_TO_STOP:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(values, kill_then_stop)
    resumed = sweep({**values, "resume": "latest"})

    whole_cache = str(linked_cache(cache_dir, tmp_path / "whole"))
    whole = sweep({**values, "experiment": "whole", "cache_dir": whole_cache})
    # Once more after the kill, and once after the stop.
    assert len(started) == 4
    for row, expected in zip(numbers(resumed), numbers(whole), strict=True):
        # A prompt that the server keeps is computed by other arithmetic than one that is new.
        assert row.pop("confidence") == pytest.approx(expected.pop("confidence"), abs=2e-3)
        assert row == expected
    assert n_paid(resumed) == n_paid(whole)
