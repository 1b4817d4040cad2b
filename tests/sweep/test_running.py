"""Sweeps with the scripted model, the real embedder and real MLflow stores."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import small_study
from builders.places import linked_cache
from builders.processes import tell_of_opened
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.tracing.client import TracingClient

from argo_ml.cli.commands import execute
from argo_ml.config import CellSpec, SweepSpec, build, shared_fields
from argo_ml.devices import disk
from argo_ml.errors import ConfigError, DataError, TrackingError
from argo_ml.progress import QUESTIONS
from argo_ml.results.metrics import is_compared
from argo_ml.results.records import Results
from argo_ml.results.row_files import ParquetRows
from argo_ml.sweep import running, stages, stored_files
from argo_ml.sweep.executors import local
from argo_ml.sweep.resumed_spec import resumed_spec
from argo_ml.sweep.running import load_results, run_cell, run_sweep
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import (
    CELL_ID,
    ERROR,
    KIND,
    NOTE,
    PARENT,
    SWEEP_ID,
    TrackedRun,
    connect,
)
from argo_ml.verification.verify import verify_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

MakeSpec = Callable[..., SweepSpec]


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    return small_study.write(tmp_path)


@pytest.fixture
def spec(sources: dict[str, str], cache_dir: Path, tracking_uri: str) -> MakeSpec:
    return spec_maker({**sources, "cache_dir": str(cache_dir), "tracking_uri": tracking_uri})


def spec_maker(common: dict[str, str]) -> MakeSpec:
    def make(**values: Any) -> SweepSpec:
        return build(SweepSpec, {**common, **values})

    return make


@pytest.fixture(scope="module")
def shared_spec(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeSpec]:
    """The sources, cache and store of tests that only read a finished sweep."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    cache = linked_cache(warm_cache, folder / "cache")
    common = {**small_study.write(folder), "cache_dir": str(cache)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield spec_maker({**common, "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"})


@pytest.fixture(scope="module")
def finished(shared_spec: MakeSpec) -> Results:
    return run_sweep(shared_spec())


def sweep_run(client: MlflowClient, sweep_id: str) -> tuple[Run, list[Run]]:
    sweep = client.get_run(sweep_id)
    children = client.search_runs(
        [sweep.info.experiment_id], f"tags.`{PARENT}` = '{sweep_id}'", max_results=1000
    )
    return sweep, list(children)


def numbers(results: Results) -> list[dict[str, Any]]:
    """Everything of a result but who paid, which a warm cache changes."""
    return [
        row.model_dump(exclude={"lm_calls_paid"})
        for cell in results.cells
        for row in cell.questions
    ]


def test_sweep_is_one_run_with_a_finished_child_per_cell(
    shared_spec: MakeSpec, finished: Results
) -> None:
    results = finished

    sweep, cells = sweep_run(MlflowClient(shared_spec().tracking_uri), results.sweep_id)
    assert sweep.info.status == "FINISHED"
    assert len(cells) == 4
    assert {cell.info.status for cell in cells} == {"FINISHED"}
    assert {cell.data.tags[SWEEP_ID] for cell in cells} == {results.sweep_id}
    assert {cell.data.tags[CELL_ID] for cell in cells} == {cell.cell_id for cell in results.cells}


def test_cell_records_params_metrics_curves_inputs_and_artifacts(
    shared_spec: MakeSpec, finished: Results, tmp_path: Path
) -> None:
    results = finished

    client = MlflowClient(shared_spec().tracking_uri)
    cell = client.get_run(results.cells[0].run_id)
    params = logged_params(cell)
    assert (params["strategy"], params["retrieval_cost"], params["max_steps"]) == (
        "argo",
        "0.02",
        "3",
    )
    assert float(params["theta_cont"]) <= float(params["theta_star"])
    expected = results.cells[0].metrics
    assert cell.data.metrics == pytest.approx(
        {key: value for key, value in expected.items() if is_compared(key)}
    )
    details = json.loads(
        Path(client.download_artifacts(cell.info.run_id, "details.json", str(tmp_path))).read_text()
    )
    assert {key: details[key] for key in expected} == expected
    curve = client.get_metric_history(cell.info.run_id, "accuracy")
    assert [point.step for point in curve] == [3, 6, 8]
    assert {entry.dataset.name for entry in cell.inputs.dataset_inputs} == {
        "questions.jsonl-all",
        "documents",
    }
    names = {item.path for item in client.list_artifacts(cell.info.run_id)}
    assert {"trajectories.jsonl", "outcomes.json"} <= names
    assert "figures" not in names


def test_table_of_outcomes_begins_with_question_gold_and_answer(
    shared_spec: MakeSpec, finished: Results, tmp_path: Path
) -> None:
    client = MlflowClient(shared_spec().tracking_uri)
    cell = finished.cells[0]

    path = client.download_artifacts(cell.run_id, "outcomes.json", str(tmp_path))
    table = json.loads(Path(path).read_text(encoding="utf-8"))

    assert table["columns"][:6] == [
        "question",
        "gold",
        "answer",
        "correct",
        "retrievals",
        "retrieval_cost",
    ]
    for values, row in zip(table["data"], cell.questions, strict=True):
        shown = dict(zip(table["columns"], values, strict=True))
        assert shown["question"].endswith("?") and shown["gold"]
        assert (shown["question_id"], shown["correct"]) == (row.question_id, row.correct)
        assert shown["retrieval_cost"] == cell.retrieval_cost


def test_readings_are_metrics_of_the_runs_and_not_of_the_results(
    shared_spec: MakeSpec, finished: Results
) -> None:
    sweep, _ = sweep_run(MlflowClient(shared_spec().tracking_uri), finished.sweep_id)

    assert sweep.data.metrics["devices/memory_peak_mb"] > 0
    assert "devices/cpu_utilization_mean" in sweep.data.metrics
    assert not [cell for cell in finished.cells if "memory_peak_mb" in cell.metrics]


def test_medium_sweep_on_a_full_disk_says_so_and_runs(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 9 * disk.GB)

    results = run_sweep(spec(mode="medium", n_prices=1))

    assert results.cells
    assert [text for text in caplog.messages if "9.0 GB free" in text and "needs 10 GB" in text]


def test_a_small_sweep_says_where_its_estimate_does_not_fit_and_runs(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 0)

    results = run_sweep(spec(strategies="never"))

    assert results.cells
    assert [text for text in caplog.messages if text.startswith("0 MB free at /")]


@pytest.mark.parametrize("writer", ["write_lines", "write_results"])
def test_a_disk_that_is_full_at_the_end_is_named_and_nothing_more_is_left_on_it(
    writer: str, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stored_files, writer, refuse)
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    with pytest.raises(TrackingError, match=rf"{place}: .*No space left.*or set TMPDIR"):
        run_sweep(spec(strategies="never"))

    assert not list(place.glob("argo-ml-*"))


def test_sweep_records_both_graphs_and_a_complete_json(
    shared_spec: MakeSpec, finished: Results, tmp_path: Path
) -> None:
    tracking = connect(shared_spec().tracking_uri, "argo_ml")
    assert load_results(tracking, finished.sweep_id) == finished
    figures = tracking.download(finished.sweep_id, "figures", tmp_path)
    for name in ("graph_1a.png", "graph_1a.svg", "graph_1b.png", "graph_1b.svg"):
        assert (figures / name).stat().st_size > 1000


def test_paid_calls_add_up_to_the_calls_in_the_cache(
    shared_spec: MakeSpec, finished: Results
) -> None:
    from argo_ml.models.cache.caching import CallCache

    paid = sum(row.lm_calls_paid for cell in finished.cells for row in cell.questions)
    stored = CallCache(shared_spec().calls_path).stats().entries
    assert paid == stored["generate"] + stored["score"]
    assert paid > 0


def test_second_sweep_pays_nothing_and_gives_the_same_numbers(
    shared_spec: MakeSpec, finished: Results
) -> None:
    second = run_sweep(shared_spec())

    assert numbers(second) == numbers(finished)
    assert sum(row.lm_calls_paid for cell in second.cells for row in cell.questions) == 0


def test_other_prices_whose_trajectories_are_known_pay_nothing(
    shared_spec: MakeSpec, finished: Results
) -> None:
    other = run_sweep(shared_spec(retrieval_costs="0.03,0.15"))

    assert {cell.retrieval_cost for cell in other.cells}.isdisjoint(finished.prices)
    assert sum(row.lm_calls_paid for cell in other.cells for row in cell.questions) == 0


def test_shard_size_changes_no_number(spec: MakeSpec, finished: Results) -> None:
    assert numbers(run_sweep(spec(shard_size=1))) == numbers(finished)


def test_a_question_that_is_too_long_is_wrong_and_named(
    spec: MakeSpec, sources: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    small_study.lengthen(sources, "Borland-capital")
    made = spec()

    results = run_sweep(made)

    rows = [row for cell in results.cells for row in cell.questions if row.unanswered]
    assert {row.question_id for row in rows} == {"Borland-capital"}
    assert not any(row.correct or row.actions for row in rows)
    assert {cell.metrics["unanswered"] for cell in results.cells} == {1 / 8}
    assert [text for text in caplog.messages if "of 8 questions 1 could not be asked" in text]
    note = MlflowClient(made.tracking_uri).get_run(results.sweep_id).data.tags[NOTE]
    assert "**Warning:** of 8 questions 1 could not be asked" in note
    assert note.index("**Warning:**") < note.index("![price_utility]")
    verdicts = verify_sweep(results.sweep_id, made.tracking_uri, made.experiment)
    failed = {verdict.name for verdict in verdicts if not (verdict.ok or verdict.is_finding)}
    assert failed == set()


def test_too_many_that_cannot_be_asked_end_the_sweep_which_goes_on_with_a_higher_limit(
    spec: MakeSpec, sources: dict[str, str]
) -> None:
    small_study.lengthen(sources, "Ardenia-capital", "Dravia-currency")

    with pytest.raises(DataError, match="of 8 questions 2 cannot be asked, and 1 may: "):
        run_sweep(spec())
    [sweep_id] = sweep_ids(spec())
    results = run_sweep(spec(resume=sweep_id, max_unanswered=0.25))

    assert {cell.metrics["unanswered"] for cell in results.cells} == {2 / 8}
    assert len(results.cells[0].questions) == 8


def sweep_ids(spec: SweepSpec) -> list[str]:
    client = MlflowClient(spec.tracking_uri)
    [experiment] = client.search_experiments(filter_string="name = 'argo_ml'")
    found = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'sweep'")
    return [run.info.run_id for run in found]


class Interruption(BaseException):
    """Stands for whatever ends a process that can still clean up."""


def interrupt_after(n_shards: int, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    begin, calls = local.ShardEpisodes, []

    def begin_or_raise(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > n_shards:
            raise error
        return begin(*arguments)

    monkeypatch.setattr(local, "ShardEpisodes", begin_or_raise)


def test_interrupted_sweep_goes_on_where_it_stopped(
    spec: MakeSpec, finished: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(2, patch, KeyboardInterrupt())
        run_sweep(spec())
    client = MlflowClient(spec().tracking_uri)
    [killed] = client.search_runs(
        [client.get_experiment_by_name("argo_ml").experiment_id],
        f"tags.`{KIND}` = 'sweep' and attributes.status = 'KILLED'",
    )

    resumed = run_sweep(spec(resume=killed.info.run_id))

    sweep, cells = sweep_run(client, killed.info.run_id)
    assert sweep.info.status == "FINISHED"
    assert ERROR not in sweep.data.tags
    assert [cell.info.status for cell in cells] == ["FINISHED"] * 4
    assert [cell.questions for cell in resumed.cells] == [cell.questions for cell in finished.cells]


def test_an_interrupted_sweep_ends_with_its_cells_at_once(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    open_children = TrackedRun._open_children

    def counted(run: TrackedRun) -> list[str]:
        looks.append(run.run_id)
        return open_children(run)

    monkeypatch.setattr(TrackedRun, "_open_children", counted)
    with pytest.raises(KeyboardInterrupt):
        interrupt_after(1, monkeypatch, KeyboardInterrupt())
        run_sweep(spec())

    [sweep_id] = sweep_ids(spec())
    sweep, cells = sweep_run(MlflowClient(spec().tracking_uri), sweep_id)
    assert [run.info.status for run in (sweep, *cells)] == ["KILLED"] * 5
    assert {cell.data.tags[ERROR] for cell in cells} == {"interrupted"}
    assert looks == [sweep_id]


def test_interrupted_large_sweep_goes_on_and_says_the_same_from_its_tables(
    spec: MakeSpec, finished: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_files, "INLINE_ROWS", 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(2, patch, KeyboardInterrupt())
        run_sweep(spec())
    client = MlflowClient(spec().tracking_uri)
    [experiment] = client.search_experiments(filter_string="name = 'argo_ml'")
    [killed] = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'sweep'")

    resumed = run_sweep(spec(resume=killed.info.run_id))
    read = load_results(connect(spec().tracking_uri, "argo_ml"), killed.info.run_id)

    kept = [type(cell.questions) for cell in (*resumed.cells, *read.cells)]
    assert kept == [ParquetRows] * 8
    assert numbers(resumed) == numbers(read) == numbers(finished)
    assert [cell.metrics["accuracy"] for cell in read.cells] == [
        cell.metrics["accuracy"] for cell in finished.cells
    ]
    verdicts = verify_sweep(killed.info.run_id, spec().tracking_uri, "argo_ml")
    trajectories = next(verdict for verdict in verdicts if verdict.name == "trajectories")
    assert trajectories.ok, trajectories.detail


def test_a_cell_alone_is_finished_when_all_of_it_is_stored(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(spec().tracking_uri)
    seen: dict[str, str] = {}

    def store_results(run: TrackedRun, *others: Any) -> None:
        seen[run.run_id] = client.get_run(run.run_id).info.status
        stored_files.store_results(run, *others)

    monkeypatch.setattr(stages, "store_results", store_results)
    cell = {**shared_fields(spec(), CellSpec), "strategy": "never", "retrieval_cost": 0.1}

    results = run_cell(build(CellSpec, cell))

    assert seen == {results.sweep_id: "RUNNING"}
    run = client.get_run(results.sweep_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["calls/lm_calls_executed"] > 0


def test_a_cell_that_is_interrupted_leaves_no_journal(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = {**shared_fields(spec(), CellSpec), "strategy": "never", "retrieval_cost": 0.1}
    monkeypatch.setattr(stages, "store_results", raise_interrupt)

    with pytest.raises(KeyboardInterrupt):
        run_cell(build(CellSpec, cell))

    assert list((spec().cache_path / "sweeps").iterdir()) == []


def test_the_first_questions_are_told_as_their_shards_are_stored(spec: MakeSpec) -> None:
    told: list[tuple[str, int, int]] = []

    run_sweep(spec(), lambda *counts: told.append(counts))

    assert [own for own in told if own[0] == QUESTIONS] == [
        (QUESTIONS, 3, 8),
        (QUESTIONS, 6, 8),
        (QUESTIONS, 8, 8),
    ]


@pytest.mark.drawn
def test_sweep_killed_before_its_first_cell_is_whole_once_resumed(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running, "open_cell_runs", raise_interrupt)
        run_sweep(spec())
    client = MlflowClient(spec().tracking_uri)
    [killed] = client.search_runs([client.get_experiment_by_name("argo_ml").experiment_id])

    run_sweep(spec(resume=killed.info.run_id))

    found = verify_sweep(killed.info.run_id, spec().tracking_uri, "argo_ml")
    assert [check.name for check in found if check.has_failed] == []
    assert len(client.get_run(killed.info.run_id).inputs.dataset_inputs) == 2


def raise_interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def killed(spec: MakeSpec, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run id of a sweep that ended before its first cell."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running, "open_cell_runs", raise_interrupt)
        run_sweep(spec())
    client = MlflowClient(spec().tracking_uri)
    [run] = client.search_runs([client.get_experiment_by_name("argo_ml").experiment_id])
    return str(run.info.run_id)


def typed(spec: MakeSpec, killed: str, **values: str) -> SweepSpec:
    """A command that names the sweep, its store and ``values`` alone."""
    return build(SweepSpec, {"resume": killed, "tracking_uri": spec().tracking_uri, **values})


def test_resuming_takes_operational_parameters_and_keeps_the_others(
    spec: MakeSpec, killed: str
) -> None:
    command = typed(spec, killed, max_retries="1", request_timeout_s="2", threads="1")

    resumed = resumed_spec(command, connect(command.tracking_uri, "argo_ml"))

    assert (resumed.max_retries, resumed.request_timeout_s, resumed.threads) == (1, 2.0, 1)
    assert (resumed.strategies, resumed.shard_size) == (("argo", "random"), 3)
    assert resumed.cache_path == spec().cache_path


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("top_k", "5", r"top_k=5 \(it was 3\)"),
        ("strategies", "argo", r"strategies=argo \(it was argo,random\)"),
        ("shard_size", "4", r"shard_size=4 \(it was 3\)"),
        ("experiment", "other", r"experiment=other \(it is in argo_ml\)"),
    ],
)
def test_resuming_refuses_by_name_what_would_change_the_sweep(
    spec: MakeSpec, killed: str, name: str, value: str, complaint: str
) -> None:
    command = typed(spec, killed, **{name: value})

    with pytest.raises(ConfigError, match=complaint):
        resumed_spec(command, connect(command.tracking_uri, "argo_ml"))


def test_the_same_command_goes_on_with_what_it_has_begun(spec: MakeSpec, killed: str) -> None:
    assert run_sweep(spec(resume="latest")).sweep_id == killed
    assert run_sweep(spec(resume="latest")).sweep_id != killed


def test_moved_questions_are_known_by_their_contents(
    spec: MakeSpec, killed: str, sources: dict[str, str], tmp_path: Path
) -> None:
    moved = tmp_path / "moved.jsonl"
    Path(sources["questions"]).rename(moved)

    assert run_sweep(typed(spec, killed, questions=str(moved))).sweep_id == killed


def test_questions_that_moved_here_are_taken(
    spec: MakeSpec,
    killed: str,
    sources: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    here = tmp_path / "here" / "questions.jsonl"
    Path(sources["questions"]).rename(here)
    monkeypatch.chdir(here.parent)
    command = typed(spec, killed)

    assert resumed_spec(command, connect(command.tracking_uri, "argo_ml")).questions == str(here)


def test_finished_sweep_is_shown_again_when_resumed(
    shared_spec: MakeSpec, finished: Results
) -> None:
    assert run_sweep(shared_spec(resume=finished.sweep_id)) == finished


def test_failed_cells_and_sweep_keep_the_error(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(1, monkeypatch, ZeroDivisionError("of luck"))

    with pytest.raises(ZeroDivisionError):
        run_sweep(spec())

    client = MlflowClient(spec().tracking_uri)
    experiment = client.get_experiment_by_name("argo_ml").experiment_id
    runs = list(client.search_runs([experiment]))
    assert len(runs) == 5
    assert {run.info.status for run in runs} == {"FAILED"}
    assert {run.data.tags[ERROR] for run in runs} == {"ZeroDivisionError: of luck"}


@pytest.mark.parametrize("command", ["sweep", "run", "calibrate", "tune"])
def test_no_run_is_left_where_nothing_could_be_run(spec: MakeSpec, command: str) -> None:
    where = {"cache_dir": spec().cache_dir, "tracking_uri": spec().tracking_uri}
    options = {"dataset": "jsonl", "questions": "nowhere.jsonl", "documents": "nowhere", **where}

    code = execute(
        [command, *(text for name, value in options.items() for text in (f"--{name}", str(value)))]
    )

    client = MlflowClient(spec().tracking_uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert code == 1
    assert client.search_runs(experiments) == []


def test_resuming_with_changed_questions_is_refused(
    spec: MakeSpec,
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, str],
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(1, patch, KeyboardInterrupt())
        run_sweep(spec())
    client = MlflowClient(spec().tracking_uri)
    [sweep] = client.search_runs(
        [client.get_experiment_by_name("argo_ml").experiment_id], f"tags.`{KIND}` = 'sweep'"
    )
    path = Path(sources["questions"])
    path.write_text(path.read_text().replace("capital", "seat"))

    with pytest.raises(ConfigError, match="questions_digest was"):
        run_sweep(spec(resume=sweep.info.run_id))


def test_run_of_another_kind_cannot_be_resumed(shared_spec: MakeSpec, finished: Results) -> None:
    with pytest.raises(ConfigError, match="that run is not a sweep"):
        run_sweep(shared_spec(resume=finished.cells[0].run_id))


def test_unknown_run_cannot_be_resumed(spec: MakeSpec) -> None:
    with pytest.raises(TrackingError, match="'0123' is not in sqlite"):
        run_sweep(spec(resume="0123"))


def test_run_opened_by_mlflow_becomes_the_sweep(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(spec().tracking_uri)
    experiment = client.create_experiment("mine")
    opened = client.create_run(experiment).info.run_id
    client.log_param(opened, "n_prices", "")
    tell_of_opened(monkeypatch, spec().tracking_uri, opened)

    results = run_sweep(spec())

    assert results.sweep_id == opened
    sweep, cells = sweep_run(client, opened)
    assert len(cells) == 4
    assert (sweep.data.params["n_prices"], sweep.data.params["settings/n_prices"]) == ("", "2")


def test_a_store_that_takes_no_traces_fails_no_sweep(
    spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError("log_spans is not supported: MLflow server version 3.1")

    monkeypatch.setattr(TracingClient, "log_spans", refuse)

    results = run_sweep(spec(traces="2"))

    stored = MlflowClient(spec().tracking_uri).get_run(results.sweep_id)
    assert stored.info.status == "FINISHED"
    assert "no traces are kept of this sweep" in caplog.text
    assert "MLflow server version 3.1" in caplog.text


def test_a_finished_sweep_refuses_what_it_was_not_run_with(
    shared_spec: MakeSpec, finished: Results
) -> None:
    with pytest.raises(ConfigError, match=r"top_k=4 \(it was \d\) cannot change"):
        run_sweep(shared_spec(resume=finished.sweep_id, top_k=4))


def test_a_file_in_the_place_of_the_cache_folder_is_named(spec: MakeSpec, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_text("mine")

    with pytest.raises(ConfigError, match="a file: is a file; name a folder"):
        run_sweep(spec(cache_dir=str(path)))


def test_a_sweep_goes_on_by_the_id_of_the_run_that_mlflow_showed_for_it(
    spec: MakeSpec, killed: str
) -> None:
    tracking = connect(spec().tracking_uri, "argo_ml")
    pointer = tracking.create("opened by mlflow run", {})
    pointer.point_to(killed, "to the sweep", "What it began is there.")

    results = run_sweep(typed(spec, pointer.run_id))

    assert results.sweep_id == killed


def test_run_opened_by_mlflow_points_to_the_sweep_it_resumes(
    shared_spec: MakeSpec, finished: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(shared_spec().tracking_uri)
    opened = client.create_run(client.get_run(finished.sweep_id).info.experiment_id).info.run_id
    tell_of_opened(monkeypatch, shared_spec().tracking_uri, opened)

    run_sweep(shared_spec(resume=finished.sweep_id))

    pointer = client.get_run(opened)
    assert pointer.info.status == "FINISHED"
    assert pointer.data.tags[SWEEP_ID] == finished.sweep_id
    assert pointer.data.tags[KIND] == "resume"


def test_single_cell_is_a_run_of_its_own(spec: MakeSpec, sources: dict[str, str]) -> None:
    known = spec()
    values = {**sources, "cache_dir": str(known.cache_dir), "tracking_uri": known.tracking_uri}
    del values["n_prices"], values["strategies"], values["traces"]

    code = execute(
        ["run", *(text for name, value in values.items() for text in (f"--{name}", value))]
    )

    client = MlflowClient(known.tracking_uri)
    [run] = client.search_runs([client.get_experiment_by_name("argo_ml").experiment_id])
    assert code == 0
    assert run.info.status == "FINISHED"
    assert run.data.tags[KIND] == "cell"
    assert run.data.params["strategy"] == "argo"
    assert 0.0 <= run.data.metrics["accuracy"] <= 1.0
