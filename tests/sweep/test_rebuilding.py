"""The report of a scripted sweep in a real MLflow store, by the command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from builders import small_study
from builders.places import at_work_in
from mlflow import MlflowClient

from argo_ml.cli.commands import execute
from argo_ml.config import SweepSpec, build
from argo_ml.results.records import Results
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking import runs

pytestmark = pytest.mark.slow

EXPERIMENT = "reported"
CONCLUDED = ("mean_utilities", "break_evens", "price_ranges", "limits", "areas")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("reported")
    with at_work_in(folder, warm_cache, empty_store) as places:
        sources = {**small_study.write(folder), "strategies": "argo,never,single"}
        yield {**sources, **places, "experiment": EXPERIMENT}


@pytest.fixture(scope="module")
def sweep(store: dict[str, str]) -> Results:
    return run_sweep(build(SweepSpec, store))


@pytest.fixture
def client(store: dict[str, str]) -> MlflowClient:
    return MlflowClient(store["tracking_uri"])


def report(store: dict[str, str], *arguments: str) -> int:
    where = ["--tracking_uri", store["tracking_uri"], "--experiment", EXPERIMENT]
    return execute(["report", *where, *arguments])


def stored(client: MlflowClient, run_id: str, name: str) -> Path:
    """The artifact itself, not a copy."""
    return Path(urlsplit(client.get_run(run_id).info.artifact_uri).path) / name


@pytest.fixture
def evaluation(sweep: Results, client: MlflowClient) -> Iterator[Path]:
    """The stored one, to be changed at will."""
    path = stored(client, sweep.sweep_id, "evaluation.json")
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def test_sweep_without_stored_examples_gets_them_from_its_trajectories(
    store: dict[str, str], sweep: Results, client: MlflowClient
) -> None:
    page = stored(client, sweep.sweep_id, "report.html")
    before = page.read_text(encoding="utf-8")
    stored(client, sweep.sweep_id, "examples.json").unlink()

    assert report(store, "--sweep", sweep.sweep_id) == 0

    assert 'id="examples"' in before
    assert page.read_text(encoding="utf-8") == before


def test_sweep_stores_its_report_and_figures(sweep: Results, client: MlflowClient) -> None:
    text = stored(client, sweep.sweep_id, "report.html").read_text(encoding="utf-8")
    figures = {path.name for path in stored(client, sweep.sweep_id, "figures").iterdir()}

    assert "When does it pay to retrieve, on " in text
    assert text.index("Break-even price of retrieving once") < text.index("Key numbers")
    assert {"price_utility.png", "price_utility.svg", "graph_1a.png"} <= figures


def test_figures_of_cells_are_drawn_when_they_are_wanted(
    sweep: Results, store: dict[str, str], client: MlflowClient
) -> None:
    folders = [stored(client, cell.run_id, "figures") for cell in sweep.cells]
    assert not any(folder.exists() for folder in folders)

    assert report(store, "--sweep", sweep.sweep_id, "--cells", "true") == 0

    assert all((folder / "actions.png").stat().st_size > 1000 for folder in folders)


def test_latest_report_is_made_again_as_it_was(
    sweep: Results, store: dict[str, str], client: MlflowClient, tmp_path: Path, capsys: Captured
) -> None:
    before = stored(client, sweep.sweep_id, "report.html").read_text(encoding="utf-8")
    output = tmp_path / "copy.html"

    assert report(store, "--output", str(output)) == 0

    out = capsys.readouterr().out
    assert f"among the artifacts of run {sweep.sweep_id}" in out
    assert str(output) in out.replace("\n", "")
    assert output.read_text(encoding="utf-8") == before
    assert stored(client, sweep.sweep_id, "report.html").read_text(encoding="utf-8") == before


def test_sweep_without_an_evaluation_is_evaluated(
    sweep: Results, store: dict[str, str], evaluation: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.html"
    evaluation.unlink()

    assert report(store, "--sweep", sweep.sweep_id, "--output", str(output)) == 0

    assert "Break-even price of retrieving once" in output.read_text(encoding="utf-8")
    assert not evaluation.exists()


def test_evaluation_of_an_earlier_version_is_read_and_concluded_anew(
    sweep: Results, store: dict[str, str], evaluation: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.html"
    content = json.loads(evaluation.read_text(encoding="utf-8"))
    older = {name: content[name] for name in content if name not in CONCLUDED}
    older |= {"areas": {"argo": 0.5}, "answer": "Not shown: the utility of argo is +0.001."}
    evaluation.write_text(json.dumps(older), encoding="utf-8")

    assert report(store, "--sweep", sweep.sweep_id, "--output", str(output)) == 0

    text = output.read_text(encoding="utf-8")
    assert "Break-even price of retrieving once" in text
    assert "Not shown" not in text


def test_description_of_the_run_begins_with_the_break_even_price(
    sweep: Results, client: MlflowClient
) -> None:
    note = client.get_run(sweep.sweep_id).data.tags["mlflow.note.content"]

    assert note.startswith("Break-even price of retrieving once (single) instead of not at all")
    *_, made_of, figures = note.split("\n\n")
    assert made_of.startswith("3 strategies x ")
    shown = [unquote(path) for path in re.findall(r"get-artifact\?path=(\S+?)&", figures)]
    assert shown == ["figures/price_utility.svg", "figures/accuracy_retrievals.svg"]
    stored = {artifact.path for artifact in client.list_artifacts(sweep.sweep_id, "figures")}
    assert stored.issuperset(shown)


def test_run_that_is_no_sweep_is_an_error(
    sweep: Results, store: dict[str, str], capsys: Captured
) -> None:
    run_id = sweep.cells[0].run_id

    assert report(store, "--sweep", run_id) == 1

    assert capsys.readouterr().err == (f"error: sweep={run_id}: that run is a cell, not a sweep\n")


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("sweep", "finish it first: argo-ml sweep --resume {} --tracking_uri {}"),
        ("replay", "a replay cannot be resumed, only run again: argo-ml replay"),
    ],
)
def test_unfinished_run_is_an_error(
    sweep: Results,
    store: dict[str, str],
    client: MlflowClient,
    capsys: Captured,
    kind: str,
    remedy: str,
) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    run_id = client.create_run(experiment.experiment_id, tags={runs.KIND: kind}).info.run_id

    assert report(store, "--sweep", run_id) == 1

    assert capsys.readouterr().err == (
        f"error: sweep={run_id}: it is RUNNING; {remedy.format(run_id, store['tracking_uri'])}\n"
    )


def test_unreadable_evaluation_is_an_error(
    sweep: Results, store: dict[str, str], evaluation: Path, capsys: Captured
) -> None:
    evaluation.write_text("{}", encoding="utf-8")

    assert report(store) == 1

    error = capsys.readouterr().err
    assert (
        error
        == f"error: evaluation.json of run {sweep.sweep_id}: damaged: sweep_id: Field required; "
        "run its command again, without resume: calls that were made are in the call cache\n"
    )


def test_output_that_cannot_be_written_is_an_error(
    sweep: Results, store: dict[str, str], tmp_path: Path, capsys: Captured
) -> None:
    output = tmp_path / "nowhere" / "report.html"

    assert report(store, "--output", str(output)) == 1

    assert f"output={output}: cannot be written" in capsys.readouterr().err
