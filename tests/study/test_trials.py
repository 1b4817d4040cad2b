"""A trial's signs of life, which end with it whatever ends it."""

from __future__ import annotations

import threading
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from argo_ml.study import trials


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    storage = RDBStorage(f"sqlite:///{tmp_path}/study.db", heartbeat_interval=1, grace_period=60)
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
        trials.run(study, trial, lambda: [1.0])
    assert threading.enumerate() == before


def test_an_interrupted_trial_gives_no_more_signs_of_life(study: optuna.Study) -> None:
    trial, before = trials.ask(study), threading.enumerate()

    def objective() -> list[float]:
        assert len(threading.enumerate()) == len(before) + 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trials.run(study, trial, objective)
    assert threading.enumerate() == before
