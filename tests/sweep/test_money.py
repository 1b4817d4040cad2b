"""A sweep at prices in the user's own unit, with a scripted model."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import small_study

from argo_ml.cli.rendering.results import results_table
from argo_ml.config import SweepSpec, VerifySpec, build
from argo_ml.errors import ConfigError
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking.runs import connect
from argo_ml.verification.verify import verify_run

PRICES = {
    "value_of_correct": "2",
    "price_of_wrong": "0.5",
    "price_per_retrieval": "0.05,0.5",
    "price_per_1m_prompt_tokens": "300",
    "price_per_1m_completion_tokens": "900",
    "price_unit": "EUR",
}


def values(folder: Path, cache_dir: Path, tracking_uri: str, **others: str) -> dict[str, str]:
    sources = small_study.write(folder)
    del sources["n_prices"]
    places = {"cache_dir": str(cache_dir), "tracking_uri": tracking_uri}
    return {**sources, **places, **PRICES, "strategies": "never,single", **others}


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_five_questions_cost_what_they_used(
    tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> None:
    results = run_sweep(build(SweepSpec, values(tmp_path, cache_dir, tracking_uri)))

    assert results.prices == (0.02, 0.2)
    dear = results.row("single")[1]
    for row in dear.questions[:5]:
        euros = 0.5 + row.prompt_tokens * 300 / 1e6 + row.completion_tokens * 900 / 1e6
        worth = (2.0 if row.correct else -0.5) - euros
        assert row.prompt_tokens > 0
        assert row.cost == pytest.approx(euros / 2.5)
        assert 2.5 * (row.correct - row.cost) - 0.5 == pytest.approx(worth)
    spec = {"sweep": results.sweep_id, "tracking_uri": tracking_uri, "cache_dir": str(cache_dir)}
    failed = {own.name for own in verify_run(build(VerifySpec, spec)) if own.has_failed}
    assert failed == set()
    headers = [str(column.header) for column in results_table(results).columns]
    assert "EUR per\n1,000 questions" in headers
    tracking = connect(tracking_uri, "argo_ml")
    cells = [tracking.get(cell.run_id) for cell in results.row("single")]
    assert [cell.data.params["price"] for cell in cells] == ["0.05", "0.5"]
    metrics = tracking.get(results.sweep_id).data.metrics
    assert 0.0 < metrics["paid_for_calls"] < metrics["price_of_calls"]


def test_what_decides_by_the_price_of_steps_needs_them_measured(
    tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> None:
    spec = build(SweepSpec, values(tmp_path, cache_dir, tracking_uri, strategies="argo,never"))
    with pytest.raises(ConfigError, match="argo decides by what steps cost, which is measured"):
        run_sweep(spec)
