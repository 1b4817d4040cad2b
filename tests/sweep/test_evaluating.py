"""What a sweep's runs keep of its evaluation, with the scripted model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import small_study, synthetic_evaluation
from builders.places import linked_cache
from mlflow import MlflowClient

from argo_ml.cli.commands import execute
from argo_ml.config import CalibrateSpec, SweepSpec, build
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.exploring.calibrate import Calibrated, run_calibration
from argo_ml.results.artifacts import EVALUATION
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate
from argo_ml.sweep.evaluating import evaluation_metrics
from argo_ml.sweep.parent_run import load_record
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import DEGENERATE, connect
from argo_ml.verification.verify import verify_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]

GATES = ("entropy_gate", "max_prob_gate")
STRATEGIES = ("never", "single", *GATES, "argo_fitted", "oracle")


@dataclass(frozen=True)
class Place:
    """Where the sweeps of a module are: common parameters, and the store."""

    common: dict[str, str]
    uri: str

    def sweep(self, **values: object) -> Results:
        return run_sweep(build(SweepSpec, {**self.common, **values}))

    def evaluation(self, results: Results) -> Evaluation:
        return load_record(connect(self.uri, "argo_ml"), results.sweep_id, EVALUATION, Evaluation)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)


@pytest.fixture(scope="module")
def place(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    cache = linked_cache(warm_cache, folder / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        common = {**small_study.write(folder), "cache_dir": str(cache), "tracking_uri": uri}
        yield Place(common, uri)


@pytest.fixture(scope="module")
def calibrated(place: Place) -> Calibrated:
    """On the same facts, asked for in other words."""
    lines: list[str] = []
    for name, facts in small_study.FACTS.items():
        for wording in ("What does {} have as its {}?", "Name the {1} of {0}.", "{1} of {0}?"):
            for kind, gold in zip(("capital", "currency"), facts, strict=True):
                choices = [row[kind == "currency"] for row in small_study.FACTS.values()]
                question = {
                    "id": f"again-{len(lines)}",
                    "question": wording.format(name, kind),
                    "choices": choices,
                    "golden_answers": [choices.index(gold)],
                }
                lines.append(json.dumps(question))
    path = Path(place.common["questions"]).with_name("calibration.jsonl")
    path.write_text("\n".join(lines))
    left_out = ("n_prices", "strategies", "n_questions", "questions", "traces")
    common = {name: value for name, value in place.common.items() if name not in left_out}
    values = {**common, "questions": str(path), "n_questions": len(lines), "max_steps": 2}
    return run_calibration(build(CalibrateSpec, values))


@pytest.fixture(scope="module")
def finished(place: Place, calibrated: Calibrated) -> Results:
    strategies = ",".join(STRATEGIES)
    return place.sweep(strategies=strategies, calibration=calibrated.run_id, top_k=3)


def test_evaluation_is_an_artifact_of_the_sweep(
    place: Place, calibrated: Calibrated, finished: Results
) -> None:
    found = place.evaluation(finished)

    assert (found.sweep_id, found.n_questions) == (finished.sweep_id, 8)
    assert [row.strategy for row in found.rows_of("oracle")] == ["oracle", "oracle"]
    assert {one.strategy for one in found.contrasts} == {*GATES, "argo_fitted"}
    assert [each.gate for each in found.frontiers] == list(GATES)
    assert all(len(each.deployable) == len(each.conservative) == 11 for each in found.frontiers)
    assert found.headline is not None and found.headline.strategy == "argo_fitted"
    assert found.calibration_run == calibrated.run_id
    assert found.calibration.items() <= calibrated.metrics.items()
    assert found.calibration["n_questions"] == 24.0
    assert "There are only 8 questions" in found.caveats[0]


def test_evaluation_but_for_scores_follows_from_the_results_and_what_the_calibration_is(
    place: Place, calibrated: Calibrated, finished: Results
) -> None:
    stored = place.evaluation(finished)
    found = evaluate(finished, {}, stored.calibration, calibrated.run_id)

    parts = ("rows", "contrasts", "mean_utilities", "effects", "gains", "by_difficulty")
    more = ("reliability", "break_evens", "price_ranges", "limits", "answer")
    for name in (*parts, *more):
        assert getattr(stored, name) == getattr(found, name), name


def test_runs_have_the_metrics_of_the_evaluation(place: Place, finished: Results) -> None:
    found = place.evaluation(finished)
    metrics = logged_metrics(place.client.get_run(finished.sweep_id))

    assert found.headline is not None
    assert metrics["adaptive_gain"] == pytest.approx(found.headline.gain.mean)
    low = metrics.get("adaptive_gain_ci_low", metrics["adaptive_gain"])
    assert low == pytest.approx(found.headline.gain.low)
    assert metrics["mean_utility_never"] == pytest.approx(found.mean_utilities["never"])
    [price] = [one.price for one in found.break_evens]
    assert metrics["break_even_price"] == pytest.approx(price.mean)
    assert metrics["break_even_price_ci_high"] == pytest.approx(price.high)
    assert {"retrieval_corrects", "retrieval_spoils"} <= set(metrics)


def test_an_interval_that_has_no_width_is_no_metric() -> None:
    made = synthetic_evaluation.full()
    assert made.headline is not None
    flat = made.headline.model_copy(update={"gain": Estimate(-0.02, -0.02, -0.02)})

    metrics = evaluation_metrics(made.model_copy(update={"headline": flat}))

    assert [name for name in metrics if name.startswith("adaptive_gain")] == ["adaptive_gain"]
    assert "break_even_price_ci_low" in metrics


def test_cells_of_gates_say_how_often_they_fire(place: Place, finished: Results) -> None:
    rows = {(row.strategy, row.retrieval_cost): row for row in place.evaluation(finished).rows}

    for cell in finished.cells:
        run = place.client.get_run(cell.run_id)
        row = rows[cell.strategy, cell.retrieval_cost]
        assert run.info.status == "FINISHED"
        assert logged_metrics(run).get("fire_share") == row.fire_share
        assert (run.data.tags.get(DEGENERATE) == "true") == row.is_degenerate
        assert (row.fire_share is None) == (cell.strategy not in GATES)


def test_evaluated_sweep_still_verifies(place: Place, finished: Results) -> None:
    found = verify_sweep(finished.sweep_id, place.uri, "argo_ml")

    assert [check for check in found if check.has_failed] == []


def test_gate_without_a_budget_is_degenerate_and_told_so(
    place: Place, calibrated: Calibrated
) -> None:
    results = place.sweep(
        strategies="margin_gate", calibration=calibrated.run_id, gate_budget=0.0, n_prices=1
    )

    run = place.client.get_run(results.cells[0].run_id)
    assert (logged_metrics(run)["fire_share"], run.data.tags[DEGENERATE]) == (0.0, "true")
    assert (
        "margin_gate is degenerate: it hardly ever retrieves at 1 of 1 prices, whatever the "
        "question."
    ) in place.evaluation(results).caveats


def test_sweep_without_calibration_gates_oracle_or_baselines_is_evaluated(place: Place) -> None:
    results = place.sweep(strategies="argo,random")

    found = place.evaluation(results)

    assert (len(found.rows), found.contrasts, found.frontiers, found.calibration) == (4, (), (), {})
    metrics = logged_metrics(place.client.get_run(results.sweep_id))
    assert "adaptive_gain" not in metrics
    assert "break_even_price" not in metrics
    assert metrics["mean_utility_argo"] == pytest.approx(found.mean_utilities["argo"])


def test_command_shows_the_answer_under_the_table(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {**place.common, "strategies": "never,single", "n_prices": "1"}

    code = execute(
        ["sweep", *(text for name, value in values.items() for text in (f"--{name}", value))]
    )

    shown = capsys.readouterr().out
    assert code == 0
    assert "Break-even price of retrieving once (single) instead of not at all (never): " in shown
