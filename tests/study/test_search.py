"""The turns of a worker beside others, of which one gives a trial back."""

from __future__ import annotations

import contextlib
import os
import signal
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from argo_ml.progress import ignore_progress
from argo_ml.study import search, storage, trial_run
from argo_ml.study.search import Search


class Worker(Search):
    """Whose trials come to a number at once."""

    def _run(self, *asked: Any, **more: Any) -> tuple[float, ...]:
        return (0.5,)


class Overtaken(Search):
    """Whose trial another worker has taken over when it is interrupted."""

    def _run(self, *asked: Any, **more: Any) -> tuple[float, ...]:
        storage.begin_trial(asked[0].trial, "another worker's", {})
        raise KeyboardInterrupt


class Interrupted(Search):
    """Interrupted in its trial."""

    def _run(self, *asked: Any, **more: Any) -> tuple[float, ...]:
        raise KeyboardInterrupt


class Lock:
    """Behind which, once it is free, another worker that was interrupted requeues its trial."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial) -> None:
        self._study, self._trial_id, self._is_held = study, trial._trial_id, True

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._is_held:
            self._is_held = False
            self._study._storage.set_trial_state_values(self._trial_id, TrialState.WAITING)


def test_a_trial_that_is_given_back_is_run_before_the_study_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "WAIT_S", 0.0)
    monkeypatch.setattr(trial_run, "start", lambda *asked: SimpleNamespace(run_id="r"))
    study = optuna.create_study()
    worker = made(Worker, study, Lock(study, study.ask()))

    assert worker.work(ignore_progress) == 1

    assert states(study) == [TrialState.COMPLETE]


def made(kind: type[Search], study: optuna.Study, lock: Any) -> Search:
    """A worker of a study of one trial."""

    def requeue(study: optuna.Study, trial_id: int) -> None:
        study._storage.set_trial_state_values(trial_id, TrialState.WAITING)

    spec: Any = SimpleNamespace(n_trials=1)
    store: Any = SimpleNamespace(lock=lock, requeue=requeue)
    space: Any = SimpleNamespace(settings=lambda trial: {})
    nothing: Any = None
    return kind(
        spec=spec,
        store=store,
        study=study,
        space=space,
        objective=nothing,
        evaluator=nothing,
        tracking=nothing,
        run=nothing,
    )


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


@pytest.mark.parametrize(
    ("kind", "state"), [(Interrupted, TrialState.WAITING), (Overtaken, TrialState.RUNNING)]
)
def test_an_interrupted_trial_waits_again_unless_another_worker_has_taken_it_over(
    monkeypatch: pytest.MonkeyPatch, kind: type[Search], state: TrialState
) -> None:
    monkeypatch.setattr(trial_run, "start", lambda *asked: SimpleNamespace(run_id="r"))
    study = optuna.create_study()

    with pytest.raises(KeyboardInterrupt):
        made(kind, study, contextlib.nullcontext()).work(ignore_progress)

    assert states(study) == [state]


def test_a_trial_that_is_interrupted_while_it_begins_waits_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*asked: Any) -> SimpleNamespace:
        os.kill(os.getpid(), signal.SIGINT)
        return SimpleNamespace(run_id="r")

    monkeypatch.setattr(trial_run, "start", interrupted)
    study = optuna.create_study()

    with pytest.raises(KeyboardInterrupt):
        made(Worker, study, contextlib.nullcontext()).work(ignore_progress)

    assert states(study) == [TrialState.WAITING]
