"""What an interruption leaves of a trial: no sign of life, and no open transaction."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from argo_ml.study import trials
from argo_ml.study.storage import begin_trial, silently


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    with silently():
        storage = RDBStorage(f"sqlite:///{tmp_path}/study.db", heartbeat_interval=1)
    return optuna.create_study(storage=storage)


def test_an_interruption_while_signs_of_life_begin_leaves_no_thread(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, before, start = trials.ask(study), threading.enumerate(), threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trials.run(study, trial, "", lambda: [1.0])
    assert threading.enumerate() == before


def test_who_has_lost_a_trial_describes_it_no_more(study: optuna.Study) -> None:
    trial = trials.ask(study)
    begin_trial(trial, "taken over", {"theta_cont": 0.2})
    trials.describe(study, trial, "first", {"accuracy": 0.1})
    trials.describe(study, trial, "taken over", {"accuracy": 0.5})
    assert study.trials[0].user_attrs["accuracy"] == 0.5
    trials.describe(study, trial, "first", {"accuracy": 0.1})
    assert study.trials[0].user_attrs["accuracy"] == 0.5


def test_an_interrupted_trial_gives_no_more_signs_of_life(study: optuna.Study) -> None:
    trial, before = trials.ask(study), threading.enumerate()

    def objective() -> list[float]:
        assert len(threading.enumerate()) == len(before) + 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trials.run(study, trial, "", objective)
    assert threading.enumerate() == before


def test_a_sign_of_life_that_the_storage_does_not_take_is_followed_by_others(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "argo_ml")
    is_given, signs = threading.Event(), iter([False, False, True])

    def record(storage: RDBStorage, trial_id: int) -> None:
        if not next(signs, True):
            raise StorageInternalError("the database is restarted")
        is_given.set()

    monkeypatch.setattr(RDBStorage, "record_heartbeat", record)
    monkeypatch.setattr(RDBStorage, "get_heartbeat_interval", lambda storage: 0.05)

    def objective() -> list[float]:
        assert is_given.wait(10)
        return [1.0]

    trials.run(study, trials.ask(study), "", objective)
    [said] = caplog.messages
    assert said == "trial 0 gives no sign of life now (the database is restarted)"


def test_a_trial_that_ends_is_told_before_the_interruption(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, told = trials.ask(study), RDBStorage.set_trial_state_values

    def interrupted(*arguments: Any, **named: Any) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return told(*arguments, **named)

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trials.run(study, trial, "", lambda: [1.0])
    assert study.get_trials()[0].state is TrialState.COMPLETE
