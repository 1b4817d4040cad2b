"""Sweeps that stop once decided, with the scripted model: where they stop and what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import small_study

from argo_ml import interruption
from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.results.records import Results
from argo_ml.sweep import stored_files
from argo_ml.sweep.running import load_results, run_sweep
from argo_ml.tracking.runs import KIND, connect
from argo_ml.verification.verify import verify_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]


@pytest.fixture
def common(tmp_path: Path, cache_dir: Path, tracking_uri: str) -> dict[str, Any]:
    return {
        **small_study.write(tmp_path, n_more_countries=46),
        "n_questions": "100",
        "strategies": "never,single",
        "retrieval_costs": "0.9",
        "until": "decided",
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
    }


def failures(results: Results, common: dict[str, Any]) -> dict[str, str]:
    """What verify finds wrong."""
    verdicts = verify_sweep(results.sweep_id, common["tracking_uri"], "")
    return {own.name: own.detail for own in verdicts if own.has_failed}


def test_it_stops_at_the_end_of_a_shard_and_the_run_says_why(common: dict[str, Any]) -> None:
    results = run_sweep(build(SweepSpec, common))

    stopping = results.stopping
    assert stopping is not None
    assert stopping.is_decided
    assert stopping.n_asked % 3 == 0
    assert 6 <= stopping.n_asked < 50
    assert [len(cell.questions) for cell in results.cells] == [stopping.n_asked] * 2
    assert stopping.verdicts[0].sign == "below"
    assert failures(results, common) == {}
    tracking = connect(common["tracking_uri"], "")
    assert load_results(tracking, results.sweep_id).stopping == stopping


def test_a_large_one_is_read_as_it_was_stored(
    common: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_files, "INLINE_ROWS", 0)

    results = run_sweep(build(SweepSpec, common))

    stored = load_results(connect(common["tracking_uri"], ""), results.sweep_id)
    assert [list(cell.questions) for cell in stored.cells] == [
        list(cell.questions) for cell in results.cells
    ]
    assert failures(results, common) == {}


def test_interrupted_one_stops_where_an_uninterrupted_one_does(
    common: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_sweep(build(SweepSpec, {**common, "experiment": "whole"}))
    n_checked = iter(range(100))

    def interrupt() -> None:
        if next(n_checked) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(interruption, "checkpoint", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(build(SweepSpec, common))
    tracking = connect(common["tracking_uri"], "")
    begun = tracking.client.search_runs(
        [tracking.experiment_id], f"tags.`{KIND}` = 'sweep'", max_results=1
    )[0]
    with pytest.raises(ConfigError, match=r"until=all \(it was decided\) cannot change"):
        run_sweep(build(SweepSpec, {"resume": begun.info.run_id, "until": "all"} | where(common)))

    resumed = run_sweep(build(SweepSpec, {"resume": begun.info.run_id} | where(common)))

    assert resumed.stopping == whole.stopping
    assert failures(resumed, common) == {}


def where(common: dict[str, Any]) -> dict[str, Any]:
    return {name: common[name] for name in ("tracking_uri", "cache_dir")}
