"""A replay's runs, artifacts and command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import recorded_outcomes
from builders.recorded_outcomes import choice_line, open_line, write
from mlflow import MlflowClient
from mlflow.entities import Run

from argo_ml.cli.commands import execute
from argo_ml.config import ReplaySpec, ReportSpec, build
from argo_ml.errors import ConfigError, DataError
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.replay.judging import replay_results
from argo_ml.replay.replaying import replay
from argo_ml.replay.splitting import read_parts
from argo_ml.replay.storing import OF_GOLD_TEXTS, UNKNOWN, StoredReplay, run_replay
from argo_ml.results import row_files
from argo_ml.results.records import Results
from argo_ml.sweep.rebuilding import rebuild_report
from argo_ml.sweep.running import load_results
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import PARENT, connect

pytestmark = pytest.mark.usefixtures("quick_figures")

MakeSpec = Callable[..., ReplaySpec]
POLICIES = ("never", "single", "oracle", "entropy_gate", "variance_gate")
PRICES = ("0.05", "0.3")


@pytest.fixture
def fresh_client(tracking_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri)


@pytest.fixture(scope="module")
def client(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """The store of tests that only read a finished replay."""
    folder = tmp_path_factory.mktemp("replayed")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture(scope="module")
def found(client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> StoredReplay:
    lines = [open_line(number) for number in range(24)]
    values = {"policies": ",".join(POLICIES), "retrieval_costs": ",".join(PRICES)}
    given = {**values, "model": "a-large-one", "tracking_uri": client.tracking_uri}
    folder = tmp_path_factory.mktemp("outcomes")
    return run_replay(recorded_outcomes.replay_spec(folder, lines[:12], lines[12:], **given))


def children(client: MlflowClient, run: Run) -> list[Run]:
    where = f"tags.`{PARENT}` = '{run.info.run_id}'"
    return list(client.search_runs([run.info.experiment_id], where))


def artifact(client: MlflowClient, found: StoredReplay, name: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    path = client.download_artifacts(found.results.sweep_id, name, str(folder))
    return Path(path).read_text(encoding="utf-8")


def test_a_replay_is_kept_as_a_run_with_a_child_per_cell(
    found: StoredReplay, client: MlflowClient, tmp_path: Path
) -> None:
    run = client.get_run(found.results.sweep_id)
    assert (run.info.status, run.data.tags["argo.kind"]) == ("FINISHED", "replay")
    assert run.info.run_name == "replay outcomes.jsonl"
    assert run.data.params["policies"] == ",".join(POLICIES)
    assert "calibrated on 12 others" in run.data.tags["mlflow.note.content"]
    page = client.get_experiment(run.info.experiment_id).tags["mlflow.note.content"]
    assert f"[latest replay](#/experiments/{run.info.experiment_id}/runs/{run.info.run_id})" in page
    [asked] = run.inputs.dataset_inputs
    assert asked.dataset.name == "outcomes.jsonl"
    cells = children(client, run)
    assert len(cells) == len(POLICIES) * len(PRICES)
    assert {cell.info.status for cell in cells} == {"FINISHED"}
    assert {cell.data.tags["argo.kind"] for cell in cells} == {"cell"}
    by_id = {cell.run_id: cell for cell in found.results.cells}
    for cell in cells:
        result = by_id[cell.info.run_id]
        assert cell.data.params["strategy"] == result.strategy
        assert cell.data.metrics["utility"] == pytest.approx(result.metrics["utility"])
        assert ("fire_share" in logged_metrics(cell)) == result.strategy.endswith("_gate")

    text = artifact(client, found, "results.json", tmp_path / "a")
    assert Results.model_validate_json(text) == found.results
    text = artifact(client, found, "evaluation.json", tmp_path / "a")
    assert Evaluation.model_validate_json(text) == found.evaluation
    report = artifact(client, found, "report.html", tmp_path / "a")
    assert "Report of a replay: a-large-one" in report and "entropy_gate" in report


def test_its_report_can_be_made_again(
    found: StoredReplay, client: MlflowClient, tmp_path: Path
) -> None:
    path, run_id = tmp_path / "again.html", found.results.sweep_id
    values = {"sweep": run_id, "output": str(path), "tracking_uri": client.tracking_uri}
    assert rebuild_report(build(ReportSpec, values)) == run_id
    assert path.read_text() == artifact(client, found, "report.html", tmp_path / "a")


def test_what_is_not_recorded_is_no_metric(found: StoredReplay, client: MlflowClient) -> None:
    run = client.get_run(found.results.sweep_id)
    logged = set(logged_metrics(run)).union(*map(logged_metrics, children(client, run)))
    assert logged.isdisjoint(UNKNOWN)
    assert {"accuracy", "cost", "retrieval_calls", "break_even_price"} <= logged
    assert "Calls are not recorded and count as 0" in found.evaluation.caveats[-1]


@pytest.mark.slow
def test_without_gold_nothing_that_compares_with_it_is_a_metric(
    make_spec: MakeSpec, fresh_client: MlflowClient
) -> None:
    lines = [choice_line(number) for number in range(24)]
    for line in lines:
        gold = line.pop("golden_answers")
        for outcome in line["outcomes"].values():
            outcome["correct"] = outcome["answer"] in (*gold, line["choices"][gold[0]])
    values = {"policies": "never,single", "tracking_uri": fresh_client.tracking_uri}
    done = run_replay(make_spec(lines[:12], lines[12:], retrieval_costs="0.1", **values))
    run = fresh_client.get_run(done.results.sweep_id)
    logged = set(logged_metrics(run)).union(*map(logged_metrics, children(fresh_client, run)))
    assert logged.isdisjoint(OF_GOLD_TEXTS)
    assert not any(name.startswith("floor_") for name in logged)
    assert "accuracy" in logged


def test_cells_differ_by_all_that_decides_them(make_spec: MakeSpec) -> None:
    lines = [open_line(number) for number in range(24)]
    replayed: dict[str, str] = {}
    for name, values in {
        "": {},
        "reason": {"reason_cost": "0.03"},
        "steps": {"max_steps": 1},
    }.items():
        spec = make_spec(lines[:12], lines[12:], policies="never", retrieval_costs="0.1", **values)
        [cell] = replay_results(replay(spec), spec, "run", ["child"]).cells
        replayed[name] = cell.cell_id
    assert len(set(replayed.values())) == len(replayed)


def test_predictions_are_one_line_per_policy_and_question(
    found: StoredReplay, client: MlflowClient, tmp_path: Path
) -> None:
    text = artifact(client, found, "predictions.jsonl", tmp_path / "a")
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == len(POLICIES) * 12
    rows = {
        (cell.strategy, f"{cell.retrieval_cost:g}", row.question_id): row
        for cell in found.results.cells
        for row in cell.questions
    }
    for line in lines:
        assert list(line["decision"]) == list(line["correct"]) == list(PRICES)
        for price in PRICES:
            row = rows[line["policy"], price, line["id"]]
            assert line["correct"][price] == row.correct
            assert (line["decision"][price] == "none") == (row.actions == ())
    scores = {line["policy"]: line["score"] for line in lines if line["id"] == "open-0"}
    assert scores["never"] is scores["oracle"] is None
    assert scores["entropy_gate"] == open_line(0)["outcomes"]["none"]["entropy"]


def test_the_evaluation_is_that_of_a_sweep(found: StoredReplay) -> None:
    plain = evaluate(found.results)
    assert found.evaluation.rows == plain.rows
    assert found.evaluation.contrasts == plain.contrasts
    assert found.evaluation.effects is not None
    assert [each.gate for each in found.evaluation.frontiers] == ["entropy_gate", "variance_gate"]
    assert all(len(each.deployable) == 11 for each in found.evaluation.frontiers)
    assert found.evaluation.calibration["n_questions"] == 12
    assert not any(name.startswith(("delta_", "p_s")) for name in found.evaluation.calibration)
    assert "12 outcomes questions with a-large-one" in found.evaluation.question


def test_the_same_outcomes_give_the_same_numbers(
    found: StoredReplay, make_spec: MakeSpec, client: MlflowClient
) -> None:
    lines = [open_line(number) for number in range(24)]
    values = {"policies": ",".join(POLICIES), "retrieval_costs": ",".join(PRICES)}
    spec = make_spec(lines[:12], lines[12:], **values, tracking_uri=client.tracking_uri)
    again = run_replay(spec)
    assert again.results.digests == found.results.digests
    for one, other in zip(found.results.cells, again.results.cells, strict=True):
        assert (one.cell_id, one.questions) == (other.cell_id, other.questions)
    lines[3]["outcomes"]["none"]["entropy"] += 0.01
    spec = make_spec(lines[:12], lines[12:], **values, tracking_uri=client.tracking_uri)
    changed = run_replay(spec)
    assert changed.results.digests["outcomes_digest"] != found.results.digests["outcomes_digest"]


def plain_line(number: int, **none: object) -> dict[str, Any]:
    """A line whose numbers are the same on every machine."""
    return {
        "id": f"q{number}",
        "question": f"What is thing {number} of Zürich?",
        "golden_answers": ["blue"],
        "outcomes": {
            "none": {"answer": "It is blue.", "logprob": -0.25 * number, **none},
            "retrieve": {"answer": "red"},
        },
    }


@pytest.mark.parametrize(
    ("known", "digest"),
    [
        ({}, "6bedb69b081b92ad78fa3961a527582a929905eef38be19e01c0a0e045a47706"),
        ({"seconds": 0.5}, "6b0b3cc139b13b52a7ed104b63f2ed2189bda21813f605efcb656e312b030371"),
        (
            {"scores": {"useful": 1.5}},
            "82db802441136f102270436457b6d1b2371f3c1a8b1d6f9a4e25211e84422b8b",
        ),
    ],
)
def test_a_file_of_outcomes_has_the_digest_that_it_always_had(
    make_spec: MakeSpec, known: dict[str, Any], digest: str
) -> None:
    lines = [plain_line(number, **known) for number in range(14)]
    spec = make_spec(lines[12:], lines[:12], policies="never,single")
    results = replay_results(replay(spec), spec, "run", ["cell"] * 2 * len(spec.prices))
    assert results.digests["outcomes_digest"] == digest


def test_outcomes_that_were_read_are_not_read_again(make_spec: MakeSpec) -> None:
    lines = [open_line(number) for number in range(24)]
    spec = make_spec(lines[:12], lines[12:], policies="never,single")
    parts = read_parts(spec)
    Path(spec.outcomes).unlink()
    assert [len(cell.rows) for cell in replay(spec, parts=parts).cells] == [12] * 10


def test_outcomes_that_cannot_be_judged_leave_no_run(
    make_spec: MakeSpec, fresh_client: MlflowClient
) -> None:
    lines = [open_line(number) for number in range(40)]
    del lines[16]["outcomes"]["none"]["entropy"]
    spec = make_spec(lines, tracking_uri=fresh_client.tracking_uri, policies="entropy_gate")
    with pytest.raises(DataError, match=r"line 17: outcomes.none.entropy is missing"):
        run_replay(spec)
    experiments = [each.experiment_id for each in fresh_client.search_experiments()]
    assert fresh_client.search_runs(experiments) == []


def test_without_a_file_nothing_is_begun() -> None:
    with pytest.raises(ConfigError, match="outcomes is empty; name a JSONL file"):
        run_replay(ReplaySpec())


def test_the_command_prints_table_and_answer(
    tmp_path: Path, fresh_client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mine.jsonl", [choice_line(number) for number in range(60)])
    values: dict[str, Any] = {
        "outcomes": path,
        "policies": "never,single,margin_gate",
        "retrieval_costs": "0.1",
        "tracking_uri": fresh_client.tracking_uri,
        "cache_dir": tmp_path / "cache",
    }
    code = execute(
        ["replay", *(text for name, value in values.items() for text in (f"--{name}", str(value)))]
    )
    shown = capsys.readouterr().out
    assert code == 0
    assert "3 cells" in shown and "mine questions, an unnamed model" in shown
    assert "margin_gate" in shown
    assert "the utility of margin_gate minus that of the best fixed strategy" in shown


def test_the_command_says_in_one_line_what_is_missing(
    tmp_path: Path, fresh_client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [choice_line(number) for number in range(40)]
    del lines[6]["outcomes"]["retrieve"]
    path = write(tmp_path / "mine.jsonl", lines)
    code = execute(["replay", "--outcomes", str(path), "--tracking_uri", fresh_client.tracking_uri])
    assert code == 1
    shown = capsys.readouterr().err
    lack = "line 7: outcomes.retrieve is missing; record it for every question, as docs/replay.md"
    assert f"mine.jsonl: {lack} shows\n" in shown


@pytest.mark.slow
def test_rows_of_a_large_replay_are_tables_that_say_the_same(
    tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [recorded_outcomes.open_line(number) for number in range(40)]
    policies = "never,single,oracle,margin_gate,benefit_gate,argo_calibrated"
    given = {"tracking_uri": tracking_uri, "policies": policies, "retrieval_costs": "0.1,0.2"}
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    spec = recorded_outcomes.replay_spec(tmp_path / "small", lines[:12], lines[12:], **given)
    small = run_replay(spec)
    monkeypatch.setattr(row_files, "INLINE_ROWS", 0)
    counts: list[tuple[int, int]] = []
    large = run_replay(spec, lambda unit, n_finished, n_total: counts.append((n_finished, n_total)))

    read = load_results(connect(tracking_uri, "argo_ml"), large.results.sweep_id)

    assert [list(cell.questions) for cell in read.cells] == [
        list(cell.questions) for cell in small.results.cells
    ]
    assert counts == [(12 * n_cells, 144) for n_cells in range(1, 13)]
    assert large.evaluation.rows == small.evaluation.rows
