"""The same sweep for several models, with scripted ones and real MLflow stores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import small_study, workers
from builders.places import at_work_in
from mlflow import MlflowClient

from argo_ml.cli.rendering.models import print_comparison
from argo_ml.comparison.model_comparison import (
    ModelComparison,
    compare_models,
    run_comparison,
    sentences,
)
from argo_ml.config import CompareSpec, build
from argo_ml.errors import ConfigError
from argo_ml.results.artifacts import COMPARISON, COMPARISON_TABLE
from argo_ml.results.unit import StoredUnit
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.running import load_results
from argo_ml.tracking.runs import KIND, NOTE, PARENT, connect
from argo_ml.tracking.stores import STORE_VARIABLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]
JOIN_S = 240


def parameters(folder: Path) -> dict[str, str]:
    """Of a comparison of two scripts, whose sources are written into ``folder``."""
    sources = small_study.write(folder)
    del sources["traces"]
    (folder / "other.json").write_text(json.dumps({"default": "echo"}))
    models = f"{sources.pop('model')},scripted:{folder / 'other.json'}"
    return {**sources, "models": models, "n_prices": "1", "strategies": "argo,random"}


@pytest.fixture
def values(tmp_path: Path, cache_dir: Path, tracking_uri: str) -> dict[str, str]:
    return {
        **parameters(tmp_path),
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
    }


@pytest.fixture(scope="module")
def shared(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The parameters of tests that only read a finished comparison."""
    folder = tmp_path_factory.mktemp("compared")
    with at_work_in(folder, warm_cache, empty_store) as places:
        yield {**parameters(folder), **places}


@pytest.fixture(scope="module")
def finished(shared: dict[str, str]) -> ModelComparison:
    return run_comparison(spec(shared))


def spec(values: dict[str, str], **others: Any) -> CompareSpec:
    return build(CompareSpec, {**values, **others})


def test_every_model_has_a_sweep_below_one_run(
    shared: dict[str, str], finished: ModelComparison
) -> None:
    client = MlflowClient(shared["tracking_uri"])
    parent = client.get_run(finished.comparison_id)
    assert (parent.info.status, parent.data.tags[KIND]) == ("FINISHED", "comparison")
    for model in finished.models:
        sweep = client.get_run(model.sweep_id)
        assert sweep.data.tags[PARENT] == finished.comparison_id
        assert sweep.info.run_name == f"sweep {Path(model.model).name}"
        assert (sweep.info.status, sweep.data.params["model"]) == ("FINISHED", model.model)
        assert model.peaks
    files = {item.path for item in client.list_artifacts(finished.comparison_id, "figures")}
    assert {"figures/models_graph_1a.png", "figures/models_front.svg"} <= files


def test_its_description_says_which_strategy_is_best_for_each_model(
    shared: dict[str, str], finished: ModelComparison
) -> None:
    first, second = sentences(finished)
    best = max(finished.of(finished.models[1].model), key=lambda cell: cell.utility)
    at_price = f"at c_r = {best.retrieval_cost:g} {best.strategy} is the most useful"
    assert second.startswith(f"other.json: {at_price}, with an accuracy of {best.accuracy:.3f}")
    run = MlflowClient(shared["tracking_uri"]).get_run(finished.comparison_id)
    assert run.data.tags[NOTE].startswith(first)


@pytest.fixture
def printed(
    shared: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[ModelComparison], str]:
    """What is printed of a comparison in the shared store, on a wide terminal."""
    connect(shared["tracking_uri"], "argo_ml")
    monkeypatch.setenv("COLUMNS", "200")

    def show(comparison: ModelComparison) -> str:
        print_comparison(comparison)
        return capsys.readouterr().out

    return show


def test_mlflow_loads_the_table_of_the_models(
    shared: dict[str, str], finished: ModelComparison
) -> None:
    client = MlflowClient(shared["tracking_uri"])
    experiment = connect(shared["tracking_uri"], shared.get("experiment", "")).experiment_id
    frame = client.load_table(experiment, COMPARISON_TABLE, [finished.comparison_id])
    assert set(frame["model"]) == {own.model for own in finished.models}


def test_the_table_has_a_row_per_model_with_the_difference(
    finished: ModelComparison, printed: Callable[[ModelComparison], str]
) -> None:
    shown = printed(finished)
    assert shown.count("other.json") == 2 + 1
    assert f"{finished.of(finished.models[1].model)[0].difference:+.3f} [" in shown


def test_the_table_has_prices_in_a_unit_of_ones_own(
    finished: ModelComparison, printed: Callable[[ModelComparison], str]
) -> None:
    own = StoredUnit(stake=2.0, name="EUR", is_own=True)

    shown = printed(finished.model_copy(update={"unit": own}))

    assert "price of a retrieval" in shown
    assert f"{2 * finished.cells[0].retrieval_cost:.4g} EUR" in shown


def test_cells_are_paired_with_those_of_the_first_model(finished: ModelComparison) -> None:
    first, second = (finished.of(model.model) for model in finished.models)
    assert [(cell.strategy, cell.retrieval_cost) for cell in first] == [
        (cell.strategy, cell.retrieval_cost) for cell in second
    ]
    assert {cell.difference for cell in first} == {0.0}
    for one, other in zip(first, second, strict=True):
        assert other.difference == pytest.approx(other.accuracy - one.accuracy)
        assert other.difference_ci_low <= other.difference <= other.difference_ci_high


def test_a_finished_comparison_is_shown_again(
    shared: dict[str, str], finished: ModelComparison
) -> None:
    assert run_comparison(spec(shared, resume=finished.comparison_id)) == finished


def test_what_is_stored_is_what_was_found(
    shared: dict[str, str], finished: ModelComparison, tmp_path: Path
) -> None:
    tracking = connect(shared["tracking_uri"], "argo_ml")
    path = tracking.download(finished.comparison_id, COMPARISON, tmp_path)
    assert json.loads(path.read_text()) == finished.model_dump(mode="json")


def test_sweeps_of_other_questions_are_not_compared(
    shared: dict[str, str], finished: ModelComparison
) -> None:
    tracking = connect(shared["tracking_uri"], "argo_ml")
    one, other = (load_results(tracking, model.sweep_id) for model in finished.models)
    fewer = [cell.model_copy(update={"questions": cell.questions[1:]}) for cell in other.cells]
    shorter = other.model_copy(update={"cells": tuple(fewer)})
    with pytest.raises(ConfigError, match=r"second: its sweep .* is of other questions"):
        compare_models("comparison", ["first", "second"], [one, shorter], tracking)


def test_another_run_is_no_comparison(shared: dict[str, str], finished: ModelComparison) -> None:
    sweep_id = finished.models[0].sweep_id
    with pytest.raises(ConfigError, match="that run is not a comparison"):
        run_comparison(spec(shared, resume=sweep_id))


def test_a_strategy_that_needs_a_calibration_is_refused_before_there_is_a_run(
    values: dict[str, str],
) -> None:
    with pytest.raises(ConfigError, match="argo_calibrated needs a calibration: it is of one mod"):
        run_comparison(spec(values, strategies="never,argo_calibrated"))
    client = MlflowClient(values["tracking_uri"])
    assert client.search_experiments(filter_string="name = 'argo_ml'") == []


def test_a_comparison_whose_second_model_was_missing_goes_on(
    values: dict[str, str], tmp_path: Path
) -> None:
    missing = tmp_path / "other.json"
    text = missing.read_text()
    missing.unlink()
    with pytest.raises(ConfigError, match=r"other\.json"):
        run_comparison(spec(values))
    client = MlflowClient(values["tracking_uri"])
    [experiment] = client.search_experiments(filter_string="name = 'argo_ml'")
    [parent] = client.search_runs(
        [experiment.experiment_id], f"tags.`{KIND}` = 'comparison' and status = 'FAILED'"
    )
    missing.write_text(text)
    with pytest.raises(ConfigError, match=r"seed=7 \(it was \d+\) cannot change in what has begun"):
        run_comparison(spec(values, resume=parent.info.run_id, seed="7"))

    places = {name: values[name] for name in ("tracking_uri", "cache_dir")}
    found = run_comparison(build(CompareSpec, {**places, "resume": parent.info.run_id}))

    assert found.comparison_id == parent.info.run_id
    sweeps = client.search_runs(
        [experiment.experiment_id], f"tags.`{PARENT}` = '{parent.info.run_id}'"
    )
    assert sorted(run.info.status for run in sweeps) == ["FINISHED", "FINISHED"]


def test_an_interrupted_comparison_says_how_it_goes_on_as_a_whole(
    values: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    # MLflow sets it to what an earlier test has opened.
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    monkeypatch.setattr(Journal, "write", interrupted)

    with pytest.raises(KeyboardInterrupt):
        run_comparison(spec(values))

    [said] = [text for text in caplog.messages if "go on with" in text]
    assert said.startswith("unfinished; go on with: argo-ml compare --resume ")
    assert said.endswith(f" --tracking_uri {values['tracking_uri']}")


def test_a_comparison_whose_sweep_was_killed_before_it_stored_its_spec_goes_on(
    values: dict[str, str], tmp_path: Path
) -> None:
    killed = workers.start_comparison_killed_at(values, "argo_ml.sweep.running.store_spec", 2)
    killed.join(JOIN_S)
    assert killed.exitcode == -9
    client = MlflowClient(values["tracking_uri"])
    [experiment] = client.search_experiments(filter_string="name = 'argo_ml'")
    [parent] = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'comparison'")

    found = run_comparison(spec(values, resume="latest"))

    sweeps = client.search_runs(
        [experiment.experiment_id], f"tags.`{PARENT}` = '{parent.info.run_id}'"
    )
    compared = {model.sweep_id for model in found.models}
    statuses = {run.info.run_id in compared: run.info.status for run in sweeps}
    assert len(sweeps) == 3
    assert statuses == {True: "FINISHED", False: "KILLED"}
    assert client.get_run(parent.info.run_id).info.status == "FINISHED"


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        ("", "models=: name two or more"),
        ("qwen2.5-3b", "models=qwen2.5-3b: name two or more"),
        ("qwen2.5-3b,qwen2.5-3b", "models=qwen2.5-3b,qwen2.5-3b repeats a value"),
    ],
)
def test_models_that_are_no_comparison(models: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        build(CompareSpec, {"models": models})
