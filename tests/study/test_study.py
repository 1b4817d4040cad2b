from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from builders import planted_study, postgresql
from builders.planted_study import Problem
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.study import StudyDirection
from optuna.trial import TrialState

import argo_ml
from argo_ml.cli.params_file import read_for
from argo_ml.config import SweepSpec, VerifySpec, build
from argo_ml.config.run_fields import GIVEN_SIMILARITY
from argo_ml.engine.stages import StageTimes
from argo_ml.errors import ConfigError, StudyError, TrackingError
from argo_ml.interface.returned import StudyResult
from argo_ml.results.study import StudyReport, settings_of
from argo_ml.study import run_study, storage, trials
from argo_ml.study.evaluation import Evaluator
from argo_ml.study.objectives import Utility, Valuation, values
from argo_ml.study.reconciliation import disagreements, requeue_lost
from argo_ml.study.running import load_report
from argo_ml.study.search import seeds
from argo_ml.study.space import SearchSpace
from argo_ml.study.storage import RUN_ID, StudyStore
from argo_ml.sweep.context import LocalContext
from argo_ml.tracking.owners import named
from argo_ml.tracking.runs import BATCH_TOKENS, ERROR, WARNING, Tracking, connect
from argo_ml.types import Prices
from argo_ml.verification.verify import verify_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

JOIN_S = 180
TOLERANCE = 0.01
"""Utility that the best of 60 trials may fall short of the known optimum."""


def stored(problem: Problem, url: str = "") -> optuna.Study:
    """The only study in ``cache_dir``, or the one called shared in the storage at ``url``."""
    name = "shared"
    if not url:
        [path] = (Path(problem.values["cache_dir"]) / "studies").glob("*.db")
        name = path.stem
    study = StudyStore(problem.spec(storage=url), name).find()
    assert study is not None
    return study


def children(problem: Problem, report: StudyReport, kind: str) -> list[Run]:
    tracking = connect(problem.values["tracking_uri"], "study")
    found = tracking.children(report.study_id)
    return [run for run in found if run.data.tags["argo.kind"] == kind]


def home(problem: Problem) -> Tracking:
    return connect(problem.values["tracking_uri"], "study")


def test_python_draws_what_the_study_has_data_for(finished: tuple[Problem, StudyReport]) -> None:
    problem, report = finished
    result = StudyResult(report, problem.spec())
    assert result.figure("slice").axes
    with pytest.raises(ConfigError, match=r"'pareto_front': this study has optimization_history"):
        result.figure("pareto_front")


def test_a_finished_study_is_loaded_by_its_run(finished: tuple[Problem, StudyReport]) -> None:
    problem, report = finished
    uri = problem.values["tracking_uri"]
    result = argo_ml.load_results(report.study_id, tracking_uri=uri)
    assert result.report == report
    assert result.figure("slice").axes


def test_a_study_is_a_run_with_a_child_per_trial_and_test_cell(
    finished: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished
    trials = children(problem, report, "trial")
    assert report.n_complete + report.n_pruned == 12
    assert sorted(int(run.data.tags["argo.trial"]) for run in trials) == list(range(12))
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert {run.data.params["strategy"] for run in trials} == {"fixed_threshold"}
    cells = [run.data.params["strategy"] for run in children(problem, report, "cell")]
    expected = ["always_reason", "always_retrieve", "argo", "fixed_threshold", "random"]
    assert sorted(cells) == expected
    assert not list(disagreements(stored(problem), home(problem), report.study_id))


def test_how_large_batches_were_stays_on_the_run(finished: tuple[Problem, StudyReport]) -> None:
    problem, report = finished
    client = MlflowClient(problem.values["tracking_uri"])
    assert client.get_run(report.study_id).data.tags[BATCH_TOKENS] == "4096"


def test_optuna_knows_settings_and_measures_of_a_trial_by_their_names(
    finished: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished
    runs = {run.info.run_id: run.data for run in children(problem, report, "trial")}
    for trial in stored(problem).trials:
        settings, run = settings_of(trial.user_attrs), runs[storage.run_id_of(trial)]
        known = {**trial.params, **trial.user_attrs}
        # Optuna has a parameter as it was drawn, before it is rounded.
        assert {name: known[name] for name in settings} == pytest.approx(settings, abs=1e-6)
        assert known["retrieval_calls"] == run.metrics["retrieval_calls"]


def test_its_inputs_are_the_questions_of_both_splits_by_name(
    finished: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished
    run = MlflowClient(problem.values["tracking_uri"]).get_run(report.study_id)
    names = {own.dataset.name for own in run.inputs.dataset_inputs}
    assert {"questions.jsonl-tune", "questions.jsonl-test", "documents"} == names


def test_the_best_settings_are_judged_on_questions_that_no_trial_saw(
    finished: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished
    [best] = report.best
    client = MlflowClient(problem.values["tracking_uri"])
    results = json.loads(client_text(client, report.study_id, "results.json"))
    tested = {row["question_id"] for cell in results["cells"] for row in cell["questions"]}
    assert tested <= set(planted_study.ids_of("test"))
    tuned = next(cell for cell in results["cells"] if cell["strategy"] == "fixed_threshold")
    untuned = next(cell for cell in results["cells"] if cell["strategy"] == "argo")
    gain = tuned["metrics"]["utility"] - untuned["metrics"]["utility"]
    assert best.test.utility == pytest.approx(tuned["metrics"]["utility"])
    assert best.optimism == pytest.approx(best.tune.utility - best.test.utility)
    [against, *_] = best.differences
    assert (against.strategy, against.mean) == ("argo", pytest.approx(gain))
    assert against.low <= gain <= against.high


def test_a_sweep_takes_the_best_settings_as_its_parameters(
    finished: tuple[Problem, StudyReport], tmp_path: Path
) -> None:
    problem, report = finished
    client = MlflowClient(problem.values["tracking_uri"])
    path = tmp_path / "best.json"
    path.write_text(client_text(client, report.study_id, "best/c_r=0.1.json"))
    spec = build(SweepSpec, read_for(SweepSpec, path))
    assert "fixed_threshold" in spec.strategies
    assert spec.prices == (0.1,)
    assert spec.theta_star == report.best[0].settings["theta_star"]


def test_the_copy_of_the_storage_is_one_file_that_optuna_opens(
    finished: tuple[Problem, StudyReport], tmp_path: Path
) -> None:
    problem, report = finished
    client = MlflowClient(problem.values["tracking_uri"])
    names = [item.path for item in client.list_artifacts(report.study_id)]
    assert [name for name in names if name.startswith("study.")] == ["study.sqlite"]
    path = client.download_artifacts(report.study_id, "study.sqlite", str(tmp_path))
    copied = optuna.load_study(study_name=None, storage=f"sqlite:///{path}")
    assert [trial.values for trial in copied.trials] == [
        trial.values for trial in stored(problem).trials
    ]
    assert len(copied.trials) == 12


def test_the_same_command_again_runs_nothing_and_a_larger_one_goes_on(problem: Problem) -> None:
    report = run_study(problem.spec(n_trials=1))
    assert run_study(problem.spec(n_trials=1)) == report
    assert failed_checks(problem, report) == []
    longer = run_study(problem.spec(n_trials=5))
    assert longer.study_id == report.study_id
    assert longer.n_complete + longer.n_pruned == 5
    # Known settings for which the first command had no trial.
    assert pairs_of_thresholds(problem, 3) == [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def failed_checks(problem: Problem, report: StudyReport) -> list[str]:
    spec = build(VerifySpec, {**where(problem), "study": report.study_id})
    return [verdict.name for verdict in verify_run(spec) if verdict.has_failed]


def pairs_of_thresholds(problem: Problem, n_trials: int) -> list[tuple[float, float]]:
    """Of the first trials."""
    settings = [settings_of(trial.user_attrs) for trial in stored(problem).trials[:n_trials]]
    return [(own["theta_cont"], own["theta_star"]) for own in settings]


def test_verify_proves_that_both_agree_and_finds_where_they_do_not(
    finished_copy: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished_copy
    spec = build(VerifySpec, {**where(problem), "study": report.study_id})
    assert [verdict.name for verdict in verify_run(spec) if verdict.has_failed] == []
    client = MlflowClient(problem.values["tracking_uri"])
    run = next(run for run in children(problem, report, "trial"))
    client.set_terminated(run.info.run_id, "FAILED")
    failed = [verdict for verdict in verify_run(spec) if verdict.has_failed]
    assert [verdict.name for verdict in failed] == ["MLflow and Optuna agree"]
    assert f"{run.info.run_name} is FAILED in MLflow, not FINISHED" in failed[0].detail


def test_verify_names_the_param_that_a_trial_lacks_and_the_inputs_of_the_study(
    finished_copy: tuple[Problem, StudyReport],
) -> None:
    problem, report = finished_copy
    spec = build(VerifySpec, {**where(problem), "study": report.study_id})
    trial = next(run for run in children(problem, report, "trial"))
    path = problem.values["tracking_uri"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        params = "DELETE FROM params WHERE run_uuid = ? AND key LIKE '%max_steps'"
        connection.execute(params, (trial.info.run_id,))
        connection.execute("DELETE FROM inputs WHERE destination_id = ?", (report.study_id,))
    [failed] = [verdict for verdict in verify_run(spec) if verdict.has_failed]
    assert failed.name == "params and inputs"
    number = trial.data.tags["argo.trial"]
    assert f"trial {number} has max_steps=nothing, the spec says" in failed.detail
    assert "the study lacks 2 of 2 inputs" in failed.detail


def where(problem: Problem) -> dict[str, str]:
    return {name: problem.values[name] for name in ("cache_dir", "tracking_uri", "experiment")}


def test_the_study_begins_with_what_is_known(finished: tuple[Problem, StudyReport]) -> None:
    problem, _ = finished
    spec = problem.spec(min_similarity=GIVEN_SIMILARITY)
    first = [settings_of(trial.user_attrs) for trial in stored(problem).trials[:3]]
    # At this price ARGO only reasons, as it does at the original study's middle price.
    assert len(seeds(spec, SearchSpace(spec))) == 3
    # Fewest steps first.
    assert pairs_of_thresholds(problem, 3) == [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert {settings["max_steps"] for settings in first} == {20}


def test_another_search_under_the_same_name_is_refused(problem: Problem) -> None:
    run_study(problem.spec(n_trials=2, study="mine"))
    with pytest.raises(StudyError, match=r"study=mine: searches otherwise \(top_k_range was"):
        run_study(problem.spec(n_trials=2, study="mine", top_k_range="1,2"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://x", r"storage=redis://x: give a URL such as sqlite:///study.db"),
        (
            "postgresql://me:secret@127.0.0.1:1/db",
            r"storage=postgresql://me:PASSWORD@127.0.0.1:1/db cannot be reached",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(
    problem: Problem, url: str, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        run_study(problem.spec(storage=url))


def test_several_prices_get_one_best_setting_each(problem: Problem) -> None:
    found = run_study(problem.spec(n_trials=12, retrieval_costs="0.02,0.3"))
    cheap, dear = found.best
    assert (cheap.retrieval_cost, dear.retrieval_cost) == (0.02, 0.3)
    assert cheap.tune.accuracy >= dear.tune.accuracy
    assert {point.trial for point in found.front} >= {cheap.trial, dear.trial}


def test_two_objectives_have_a_front_with_a_knee(problem: Problem) -> None:
    found = run_study(problem.spec(n_trials=12, objective="accuracy_cost"))
    costs = [point.values["cost"] for point in found.front]
    accuracies = [point.values["accuracy"] for point in found.front]
    assert costs == sorted(costs)
    assert accuracies == sorted(set(accuracies))
    [knee] = [point for point in found.front if point.is_knee]
    assert found.best[0].trial == knee.trial
    assert stored(problem).metric_names == ["accuracy", "cost"]


def test_two_workers_run_exactly_as_many_trials_and_a_kill_loses_none(problem: Problem) -> None:
    first = problem.start(n_trials=12)
    wait_for(lambda: n_in_storage(problem) >= 3)
    second = problem.start(n_trials=12)
    wait_for(lambda: n_in_storage(problem) >= 5)
    first.kill()
    first.join()
    second.join(JOIN_S)
    assert second.exitcode == 0
    check_whole(problem, 12)


def test_a_study_that_one_of_two_workers_leaves_is_finished_without_an_error(
    problem: Problem,
) -> None:
    first = problem.start(n_trials=30)
    wait_for(lambda: n_in_storage(problem) >= 1)
    second = problem.start(n_trials=30)
    wait_for(lambda: len(named(study_run(problem).data.tags)) == 2)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGINT)
    first.join(JOIN_S)
    second.join(JOIN_S)
    assert (first.exitcode, second.exitcode) == (1, 0)
    check_whole(problem, 30)
    finished = study_run(problem)
    assert finished.info.status == "FINISHED"
    assert ERROR not in finished.data.tags


def study_run(problem: Problem) -> Run:
    return home(problem).get(stored(problem).user_attrs[RUN_ID])


def test_two_workers_share_one_postgresql_storage_and_a_kill_loses_none(problem: Problem) -> None:
    with postgresql.server() as url:
        workers = [problem.start(n_trials=8, storage=url, study="shared") for _ in range(2)]
        for worker in workers:
            worker.join(JOIN_S)
        assert [worker.exitcode for worker in workers] == [0, 0]
        check_whole(problem, 8, url)
        first, second = (problem.start(n_trials=14, storage=url, study="shared") for _ in range(2))
        wait_for(lambda: n_in_storage(problem, url) >= 10)
        first.kill()
        first.join()
        second.join(JOIN_S)
        assert second.exitcode == 0
        check_whole(problem, 14, url)


def test_a_trial_whose_worker_died_before_its_first_sign_of_life_is_queued_again(
    problem: Problem,
) -> None:
    store = StudyStore(problem.spec(), "mine")
    study = store.create([StudyDirection.MAXIMIZE])
    trial = trials.ask(study)
    value = trial.suggest_float("x", 0, 1)
    run = home(problem).client.create_run(home(problem).experiment_id)
    storage.begin_trial(trial, run.info.run_id, {"x": value})
    requeue_lost(study, store, home(problem))
    assert states(study) == [TrialState.RUNNING]
    requeue_lost(study, store, home(problem), now=datetime.now() + timedelta(minutes=1))
    assert states(study) == [TrialState.WAITING]
    assert study.trials[0].params == {"x": value}


def test_a_silent_trial_of_a_worker_that_lives_here_stays_its_own(problem: Problem) -> None:
    store = StudyStore(problem.spec(), "mine")
    study = store.create([StudyDirection.MAXIMIZE])
    run = home(problem).create("a trial", {})
    storage.begin_trial(trials.ask(study), run.run_id, {})
    requeue_lost(study, store, home(problem), now=datetime.now() + timedelta(hours=1))
    assert states(study) == [TrialState.RUNNING]


def test_a_trial_whose_run_was_removed_is_queued_again(problem: Problem) -> None:
    store = StudyStore(problem.spec(), "mine")
    study = store.create([StudyDirection.MAXIMIZE])
    storage.begin_trial(trials.ask(study), "0" * 32, {})
    requeue_lost(study, store, home(problem))
    assert states(study) == [TrialState.WAITING]


def test_a_study_of_another_mlflow_store_says_how_to_go_on(
    problem: Problem, empty_store: Path, tmp_path: Path
) -> None:
    run_study(problem.spec(n_trials=1))
    shutil.copyfile(empty_store, tmp_path / "other.db")
    message = r"study=argo-.*: was begun in another MLflow store, or .*\(its run .*study=NAME"
    with pytest.raises(StudyError, match=message):
        run_study(problem.spec(n_trials=1, tracking_uri=f"sqlite:///{tmp_path}/other.db"))


def test_a_study_whose_run_was_deleted_says_how_to_go_on(problem: Problem) -> None:
    report = run_study(problem.spec(n_trials=1))
    home(problem).client.delete_run(report.study_id)
    message = rf"was deleted in MLflow.*runs restore --run-id {report.study_id}.*study=NAME"
    with pytest.raises(StudyError, match=message):
        run_study(problem.spec(n_trials=2))


def test_a_best_trial_whose_run_was_deleted_is_judged_all_the_same(problem: Problem) -> None:
    report = run_study(problem.spec(n_trials=2))
    for trial in children(problem, report, "trial"):
        home(problem).client.delete_run(trial.info.run_id)
    longer = run_study(problem.spec(n_trials=3))
    assert longer.best
    warned = home(problem).get(report.study_id).data.tags[WARNING]
    assert f"the run of trial {longer.best[0].trial} was deleted" in warned


def test_an_error_while_a_study_begins_ends_its_run(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StudyError("nothing is known")

    with monkeypatch.context() as refusing:
        refusing.setattr("argo_ml.study.running.seeds", refuse)
        with pytest.raises(StudyError, match="nothing is known"):
            run_study(problem.spec(n_trials=1))
    [failed] = home(problem).in_status("FAILED")
    assert failed.data.tags[ERROR] == "nothing is known"
    assert run_study(problem.spec(n_trials=1)).n_complete == 1


def test_a_trial_that_fails_says_with_which_settings(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StudyError("too many are unanswered")

    monkeypatch.setattr("argo_ml.study.evaluation.Evaluator.blocks", refuse)
    with pytest.raises(StudyError, match="too many are unanswered"):
        run_study(problem.spec(n_trials=1))
    failed = home(problem).in_status("FAILED")
    [trial] = [run for run in failed if run.data.tags["argo.kind"] == "trial"]
    params = trial.data.params
    assert (params["strategy"], params["max_steps"]) == ("fixed_threshold", "20")
    assert "theta_cont" in params


@pytest.mark.parametrize("error", [TrackingError("the store is gone"), KeyboardInterrupt()])
def test_a_finished_study_that_cannot_be_shown_stays_finished(
    finished_copy: tuple[Problem, StudyReport],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    problem, report = finished_copy

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("argo_ml.study.running.load_report", refuse)
    with pytest.raises(type(error)):
        run_study(problem.spec(n_trials=report.n_complete + report.n_pruned))
    shown = home(problem).get(report.study_id)
    assert shown.info.status == "FINISHED"
    assert ERROR not in shown.data.tags


def test_a_study_returns_the_report_that_it_stores_without_fetching_it(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr("argo_ml.study.running.load_report")
        report = run_study(problem.spec(n_trials=1))
    assert load_report(home(problem), report.study_id) == report


def test_a_silent_trial_that_another_worker_took_over_is_not_told_twice(problem: Problem) -> None:
    store = StudyStore(problem.spec(), "mine")
    study = store.create([StudyDirection.MAXIMIZE])
    silent = trials.ask(study)
    storage.begin_trial(silent, "first", {})

    def wakes_up_late() -> list[float]:
        store.requeue(study, silent._trial_id)
        storage.begin_trial(trials.ask(study), "second", {})
        return [1.0]

    trials.run(study, silent, "first", wakes_up_late)
    assert states(study) == [TrialState.RUNNING]
    trials.run(study, silent, "second", lambda: [2.0])
    assert [trial.values for trial in study.trials] == [[2.0]]


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.get_trials()]


def check_whole(problem: Problem, n_trials: int, url: str = "") -> None:
    """Exactly so many trials are finished, none is open, and MLflow says the same."""
    study = stored(problem, url)
    done = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(done) == n_trials
    assert not study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING))
    assert not list(disagreements(study, home(problem), study.user_attrs[RUN_ID]))


def n_in_storage(problem: Problem, url: str = "") -> int:
    if not url and not list((Path(problem.values["cache_dir"]) / "studies").glob("*.db")):
        return 0
    try:
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return len(stored(problem, url).get_trials(states=states))
    except AssertionError:
        return 0


def wait_for(condition: object, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_sixty_trials_find_the_known_optimum(problem: Problem) -> None:
    """Of three seeds each; the optimum is that of the questions drawn."""
    valuation = Valuation(Prices(0.1, 0.02), 1.0)
    spec = problem.spec(n_questions=100)
    context = LocalContext.open(spec)
    evaluator = Evaluator(context, StageTimes())
    space = SearchSpace(spec)
    ids = {question.id for question in context.questions.questions}
    needs = [
        need for index, need in enumerate(planted_study.drawn_needs()) if f"item-{index}" in ids
    ]
    optimum = planted_study.best_utility(needs, valuation)
    for seed in (1, 2, 3):
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)

        def objective(trial: optuna.Trial) -> float:
            rows = evaluator.rows(space.settings(trial), "test")
            return values(Utility(valuation), rows)[0]

        study.optimize(objective, n_trials=60)
        assert optimum - TOLERANCE <= study.best_value <= optimum + 1e-9


def client_text(client: MlflowClient, run_id: str, artifact: str) -> str:
    return Path(client.download_artifacts(run_id, artifact)).read_text(encoding="utf-8")
