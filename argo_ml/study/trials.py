"""One trial in Optuna: asked for, run with signs of life, and told what it came to.

Not by `Study.optimize`, for which a trial that was interrupted, or is silent, has failed.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import optuna
from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from argo_ml.interruption import uninterrupted
from argo_ml.study.storage import run_id_of, silently
from argo_ml.tracking.stores import first_line

logger = logging.getLogger(__name__)


def ask(study: optuna.Study) -> Trial:
    """The first trial that waits, or the next number; `run` gives its signs of life."""
    with silently():
        warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
        return study.ask()


def run(
    study: optuna.Study, trial: Trial, own_run_id: str, objective: Callable[[], Sequence[float]]
) -> None:
    """Tell the study what a trial comes to; that of an error has failed."""
    state, reached = TrialState.FAIL, None
    with _signs_of_life(study, trial):
        try:
            reached = objective()
            state = TrialState.COMPLETE
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except Exception:
            _tell(study, trial, own_run_id, state, None)
            raise
    _tell(study, trial, own_run_id, state, reached)


@contextlib.contextmanager
def _signs_of_life(study: optuna.Study, trial: Trial) -> Iterator[None]:
    """Optuna's signs of life while the block runs.

    Its own thread ends at the first that the storage does not take, and goes on for ever, its
    process with it, where the interruption comes while the thread starts or ends.
    """
    storage, ended = study._storage, threading.Event()
    if not is_heartbeat_enabled(storage):
        yield
        return
    assert isinstance(storage, BaseHeartbeat)
    thread = threading.Thread(
        target=_give_signs,
        args=(trial, storage, ended),
        name="argo-heartbeat",
        daemon=True,
    )
    try:
        thread.start()
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def _give_signs(trial: Trial, storage: BaseHeartbeat, ended: threading.Event) -> None:
    is_failing = False
    while True:
        try:
            storage.record_heartbeat(trial._trial_id)
            is_failing = False
        except (optuna.exceptions.OptunaError, SQLAlchemyError) as error:
            if not is_failing:
                cause = first_line(error.__cause__ or error)
                logger.warning("trial %d gives no sign of life now (%s)", trial.number, cause)
            is_failing = True
        if ended.wait(storage.get_heartbeat_interval()):
            return


@uninterrupted()
def _stored(study: optuna.Study, trial: Trial) -> FrozenTrial:
    return study._storage.get_trial(trial._trial_id)


def is_of(study: optuna.Study, trial: Trial, run_id: str) -> bool:
    """Whether a trial still has this run: a worker that takes it over gives it another."""
    return run_id_of(_stored(study, trial)) == run_id


@uninterrupted()
def _tell(
    study: optuna.Study,
    trial: Trial,
    own_run_id: str,
    state: TrialState,
    reached: Sequence[float] | None,
) -> None:
    """Another worker may have taken over a trial that was silent for too long; its word counts."""
    stored = _stored(study, trial)
    if stored.state is TrialState.RUNNING and run_id_of(stored) == own_run_id:
        study.tell(trial, reached, state)
    else:
        logger.warning("trial %d was taken over by another worker meanwhile", trial.number)


@uninterrupted()
def report(trial: Trial, value: float, step: int) -> None:
    """What a trial that runs again has reported before, it reports again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The reported value is ignored")
        trial.report(value, step)


@uninterrupted()
def describe(
    study: optuna.Study, trial: Trial, own_run_id: str, attributes: Mapping[str, float]
) -> None:
    """Numbers by which Optuna's dashboard and data frames show a trial, unless another worker has
    taken it over or ended it meanwhile."""
    if not is_of(study, trial, own_run_id):
        return
    with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
