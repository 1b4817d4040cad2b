"""The turns of a worker beside others, of which one gives a trial back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from argo_ml.progress import ignore_progress
from argo_ml.study import search, trial_run
from argo_ml.study.search import Search


class Worker(Search):
    """Whose trials come to a number at once."""

    def _run(self, *asked: Any, **more: Any) -> tuple[float, ...]:
        return (0.5,)


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
    spec: Any = SimpleNamespace(n_trials=1)
    store: Any = SimpleNamespace(lock=Lock(study, study.ask()))
    space: Any = SimpleNamespace(settings=lambda trial: {})
    nothing: Any = None
    worker = Worker(
        spec=spec,
        store=store,
        study=study,
        space=space,
        objective=nothing,
        evaluator=nothing,
        tracking=nothing,
        run=nothing,
    )

    assert worker.work(ignore_progress) == 1

    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]
