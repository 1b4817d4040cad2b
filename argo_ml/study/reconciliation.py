"""Where MLflow and Optuna disagree on a trial after a kill, Optuna's word counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import optuna
from optuna.trial import FrozenTrial, TrialState

from argo_ml.processes import Life
from argo_ml.results.study import OBJECTIVES, TRIAL
from argo_ml.study import storage
from argo_ml.study.storage import StudyStore
from argo_ml.study.trial_run import STATUSES, TRIAL_STATE
from argo_ml.tracking import runs
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.owners import life_of_any, named
from argo_ml.tracking.runs import Run, TrackedRun, Tracking

LOST = "its worker ended before the trial did; the trial was queued again"


def reconcile(
    study: optuna.Study, store: StudyStore, tracking: Tracking, study_run_id: str
) -> None:
    """Queue the trials of dead workers again, and end every run as its trial has ended.

    The study's lock must be held.
    """
    requeue_lost(study, store, tracking)
    trials = _by_number(study)
    for child in trial_runs(tracking, study_run_id):
        expected = expected_status(child, trials)
        if child.info.status == expected:
            continue
        run = TrackedRun(tracking.client, child.info.run_id)
        if expected == "KILLED":
            run.log(tags={TRIAL_STATE: TrialState.FAIL.name, runs.ERROR: LOST})
        run.end(expected)


def requeue_lost(
    study: optuna.Study, store: StudyStore, tracking: Tracking, now: datetime | None = None
) -> None:
    """Queue the running trials of workers that died again, and of those that nobody can see from
    here and that give no sign of life: a laptop that has slept has workers that live.

    Each keeps its number and its settings, so that the study goes on as if nothing had happened.
    The study's lock must be held.
    """
    for trial in storage.in_states(study, TrialState.RUNNING):
        run_id = storage.run_id_of(trial)
        # Whoever begins a trial gives back the lock only when the trial knows its run.
        life = _life(tracking.get_or_none(run_id)) if run_id else Life.DEAD
        is_silent = life is Life.UNKNOWN and store.is_silent(trial, now or datetime.now())
        if life is Life.DEAD or is_silent:
            store.requeue(study, trial._trial_id)


def _life(run: Run | None) -> Life:
    """Nobody is at work on a run that was removed."""
    return Life.DEAD if run is None else life_of_any(named(run.data.tags))


def disagreements(study: optuna.Study, tracking: Tracking, study_run_id: str) -> Iterator[str]:
    """Every difference between the two, in words."""
    trials = _by_number(study)
    known = set()
    for child in trial_runs(tracking, study_run_id):
        known.add(child.info.run_id)
        expected = expected_status(child, trials)
        allowed = {expected, "FAILED"} if expected == "KILLED" else {expected}
        if child.info.status not in allowed:
            yield f"{child.info.run_name} is {child.info.status} in MLflow, not {expected}"
        trial = _own_trial(child, trials)
        if trial is not None and trial.state is TrialState.COMPLETE and trial.values:
            yield from _differing_values(study, child, trial)
    for trial in trials.values():
        if trial.state in storage.DONE and storage.run_id_of(trial) not in known:
            yield f"trial {trial.number} is {trial.state.name} without a run in MLflow"


def expected_status(child: Run, trials: Mapping[int, FrozenTrial]) -> str:
    """What MLflow should say of a trial's run, given Optuna's trials."""
    trial = _own_trial(child, trials)
    if trial is None:
        return "KILLED"
    if trial.state is TrialState.FAIL:
        return "FAILED" if child.info.status == "FAILED" else "KILLED"
    return STATUSES.get(trial.state, "RUNNING")


def _differing_values(study: optuna.Study, child: Run, trial: FrozenTrial) -> Iterator[str]:
    names = study.user_attrs[OBJECTIVES]
    for name, value in zip(names, trial.values, strict=True):
        logged = logged_metrics(child).get(name)
        if logged is None or abs(logged - value) > 1e-9:
            yield f"{child.info.run_name}: {name} is {logged} in MLflow and {value} in Optuna"


def _own_trial(child: Run, trials: Mapping[int, FrozenTrial]) -> FrozenTrial | None:
    """The trial that knows this run as its own; a trial that was queued again has another."""
    trial = trials.get(int(child.data.tags[TRIAL]))
    if trial is None or storage.run_id_of(trial) != child.info.run_id:
        return None
    return None if trial.state is TrialState.WAITING else trial


def _by_number(study: optuna.Study) -> dict[int, FrozenTrial]:
    return {trial.number: trial for trial in storage.all_trials(study)}


def trial_runs(tracking: Tracking, study_run_id: str) -> list[Run]:
    """The children that are trials."""
    return [
        child
        for child in tracking.children(study_run_id)
        if child.data.tags.get(runs.KIND) == "trial"
    ]
