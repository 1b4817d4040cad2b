"""A study killed at any moment goes on with the trials of one that was not interrupted."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from builders.planted_study import Problem
from optuna.trial import TrialState

from argo_ml.config import VerifySpec, build
from argo_ml.study import run_study
from argo_ml.study.storage import StudyStore
from argo_ml.verification.verify import verify_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

JOIN_S = 180
N_TRIALS = 12
"""Three are known settings, the next seven are drawn at random, the rest by the sampler."""
KILLS = {
    "while it begins": ("optuna.study.Study.enqueue_trial", 2),
    "after two trials": ("argo_ml.study.trials.ask", 3),
    "before a trial is remembered": (
        "argo_ml.study.evaluation.Evaluator.remember",
        1,
    ),
    "between the settings drawn for a trial": ("optuna.trial.Trial.suggest_float", 7),
    "before a trial knows its run": ("argo_ml.study.storage.begin_trial", 3),
    "in the middle of a trial": ("argo_ml.study.trial_run.store", 4),
    "when MLflow knows the end and Optuna does not": ("argo_ml.study.trials._tell", 3),
    "before the best settings are judged": ("argo_ml.study.running.conclude", 1),
}


IN_BETWEEN = ["between the settings drawn for a trial", "in the middle of a trial"]


@pytest.mark.parametrize(
    ("search", "moments"),
    [
        ({}, list(KILLS)),
        ({"sampler": "random", "sampler_seed": 3, "n_trials": 8}, IN_BETWEEN),
        ({"objective": "accuracy_cost"}, IN_BETWEEN),
    ],
    ids=["tpe", "random", "two objectives"],
)
def test_a_killed_study_has_the_trials_of_one_that_was_not(
    problem: Problem, other_problem: Problem, search: dict[str, object], moments: list[str]
) -> None:
    wanted = {"n_trials": N_TRIALS, "n_questions": 10, "shard_size": 5, **search}
    expected = run_study(other_problem.spec(**wanted))
    for moment in moments:
        function, n_calls = KILLS[moment]
        worker = problem.start_killed_at(function, n_calls, **wanted)
        worker.join(JOIN_S)
        assert worker.exitcode == -9, moment
    report = run_study(problem.spec(**wanted))
    assert trials_of(problem) == trials_of(other_problem)
    assert [best.trial for best in report.best] == [best.trial for best in expected.best]
    assert failures(problem, report.study_id) == []


def test_a_study_that_is_killed_and_joined_by_two_workers_has_every_trial_once(
    problem: Problem,
) -> None:
    killed = problem.start_killed_at("argo_ml.study.trial_run.store", 5, n_trials=10)
    killed.join(JOIN_S)
    workers = [problem.start(n_trials=10) for _ in range(2)]
    for worker in workers:
        worker.join(JOIN_S)
    assert [killed.exitcode, *(worker.exitcode for worker in workers)] == [-9, 0, 0]
    trials = study_of(problem).trials
    assert [trial.number for trial in trials] == list(range(10))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


def study_of(problem: Problem) -> optuna.Study:
    [path] = (Path(problem.values["cache_dir"]) / "studies").glob("*.db")
    study = StudyStore(problem.spec(), path.stem).find()
    assert study is not None
    return study


def trials_of(problem: Problem) -> list[tuple[object, ...]]:
    return [
        (trial.number, trial.state, trial.params, trial.values, trial.intermediate_values)
        for trial in study_of(problem).trials
    ]


def failures(problem: Problem, study_id: str) -> list[str]:
    places = {name: problem.values[name] for name in ("cache_dir", "tracking_uri", "experiment")}
    verdicts = verify_run(build(VerifySpec, {**places, "study": study_id}))
    return [f"{verdict.name}: {verdict.detail}" for verdict in verdicts if verdict.has_failed]
