"""Runs that are RUNNING and whose process has died: recognised and ended, whatever they are of.

A run names its process, which holds a lock as long as it lives (`argo_ml.processes`). What lives,
or may live on another machine, is never touched.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Run

from argo_ml.errors import TrackingError
from argo_ml.processes import Life, Process, ending, forget
from argo_ml.results.artifacts import SPEC
from argo_ml.tracking.artifact_files import local_folder, remove_unfinished
from argo_ml.tracking.location import store_option
from argo_ml.tracking.owners import life_of_any, named
from argo_ml.tracking.runs import (
    KIND,
    LOST,
    PARENT,
    SWEEP_ID,
    TrackedRun,
    Tracking,
    connect,
    open_client,
    search_runs,
)
from argo_ml.tracking.stores import active_experiments, explained

_AGAIN = "give the same command again; calls that were made are in the call cache"
RESUME = "--resume"
_GO_ON: Mapping[str, str] = {
    "sweep": f"go on with: argo-ml sweep {RESUME} {{run_id}}",
    "cell": f"go on with: argo-ml sweep {RESUME} {{sweep_id}}",
    "comparison": f"go on with: argo-ml compare {RESUME} {{run_id}}",
    "advice": f"go on with: argo-ml advise {RESUME} {{run_id}}",
    "study": "go on with the same argo-ml tune command; finished trials are kept",
    "trial": "its study goes on with the same argo-ml tune command and runs it again",
}
_DATABASES = ("postgresql", "mysql", "mssql")
_OVER = ("FINISHED", "FAILED", "KILLED")
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Reconciled:
    """``elsewhere`` are runs whose process only another machine can see, ``nameless`` those that
    name none, which earlier versions began."""

    ended: list[Run] = field(default_factory=list)
    elsewhere: list[Run] = field(default_factory=list)
    nameless: list[Run] = field(default_factory=list)


def open_experiment(tracking_uri: str, experiment: str) -> Tracking:
    """As `connect`, for a command that begins a run; what dead processes have left is ended."""
    tracking = connect(tracking_uri, experiment)
    _warn_of_scattered_artifacts(tracking)
    reconcile(tracking)
    return tracking


def _warn_of_scattered_artifacts(tracking: Tracking) -> None:
    """Whoever tracks in a database without a server writes artifacts by itself, and those of a
    folder on its own machine."""
    if not tracking.uri.startswith(_DATABASES):
        return
    with explained(tracking.uri):
        place = tracking.client.get_experiment(tracking.experiment_id).artifact_location
    if local_folder(place) is not None:
        logger.warning(
            "artifacts go to %s on each machine that tracks in this database; from several, track "
            "through mlflow server, or in an experiment whose artifact location all reach",
            place,
        )


def reconcile(tracking: Tracking) -> Reconciled:
    """End what dead processes have left in an experiment, with a line in the log for each run that
    is nobody's child."""
    reconciled = find_lost(tracking.client, [tracking.experiment_id])
    for run in reconciled.ended:
        end_lost(tracking.client, run)
    return reconciled


def reconcile_store(tracking_uri: str, repair: bool) -> Reconciled:
    """Find it in all experiments of a store that is there, and end it where ``repair`` is set."""
    client = open_client(tracking_uri, create=False)
    with explained(str(client.tracking_uri)):
        experiments = [experiment.experiment_id for experiment in active_experiments(client)]
    reconciled = find_lost(client, experiments)
    for run in reconciled.ended if repair else ():
        end_lost(client, run)
    return reconciled


def find_lost(client: MlflowClient, experiments: Sequence[str]) -> Reconciled:
    """Every RUNNING run of this package that no living process is at work on."""
    reconciled = Reconciled()
    lives: dict[tuple[Process, ...], Life] = {}
    for run in _running(client, experiments):
        processes = tuple(named(run.data.tags))
        if not processes:
            is_left = _is_left_behind(client, run)
            (reconciled.ended if is_left else reconciled.nameless).append(run)
            continue
        life = lives.setdefault(processes, life_of_any(processes))
        if life is Life.DEAD:
            reconciled.ended.append(run)
        elif life is Life.UNKNOWN:
            reconciled.elsewhere.append(run)
    return reconciled


def end_lost(client: MlflowClient, run: Run) -> None:
    """End as KILLED, and say why and what goes on with it."""
    processes = named(run.data.tags)
    with contextlib.ExitStack() as until_ended:
        for process in processes:
            until_ended.enter_context(ending(process))
        if _is_taken_up(client, run):
            return
        who = " and ".join(map(str, processes)) or "the process of its parent run"
        tracked = TrackedRun(client, run.info.run_id)
        message = f"{who} ended without ending it; {how_to_go_on(client, run)}"
        tracked.end_with(message, "KILLED", {LOST: who})
        remove_unfinished(run.info.artifact_uri)
    if PARENT not in run.data.tags:
        # The tag is read in the store itself, the log beside any other.
        store = store_option(str(client.tracking_uri)) if RESUME in message else ""
        logger.info("%s %s: %s%s", run.data.tags[KIND], run.info.run_id, message, store)
    for process in processes:
        forget(process)


def _is_taken_up(client: MlflowClient, run: Run) -> bool:
    """Whether another process has ended it, or gone on with it, since it was looked up."""
    with explained(str(client.tracking_uri)):
        now = client.get_run(run.info.run_id)
    return now.info.status != run.info.status or named(now.data.tags) != named(run.data.tags)


def how_to_go_on(client: MlflowClient, run: Run) -> str:
    tags = run.data.tags
    kind, parent = tags.get(KIND, ""), tags.get(PARENT, "")
    whole = _begun_whole(client, run)
    if whole is not run and kind != "trial" and whole.data.tags[KIND] != "sweep":
        return _GO_ON.get(whole.data.tags[KIND], _AGAIN).format(run_id=whole.info.run_id)
    if kind == "cell" and not (parent and tags.get(SWEEP_ID)):
        return _AGAIN
    if kind == "sweep" and _is_without_parameters(client, run):
        return f"it was too young to be resumed: {_AGAIN}"
    return _GO_ON.get(kind, _AGAIN).format(run_id=run.info.run_id, sweep_id=tags.get(SWEEP_ID, ""))


def _is_without_parameters(client: MlflowClient, run: Run) -> bool:
    """False as well where its artifacts cannot be read, which keeps no other command from what it
    is to do."""
    with contextlib.suppress(TrackingError):
        return TrackedRun(client, run.info.run_id).read_artifact(SPEC) is None
    return False


def _begun_whole(client: MlflowClient, run: Run) -> Run:
    """What a command has begun that the run is a part of, as far as it is still there."""
    with contextlib.suppress(TrackingError):
        while parent_id := run.data.tags.get(PARENT):
            with explained(str(client.tracking_uri)):
                parent = client.get_run(parent_id)
            if KIND not in parent.data.tags:
                break
            run = parent
    return run


def _running(client: MlflowClient, experiments: Sequence[str]) -> list[Run]:
    """Of this package: whatever else tracks there is nothing of ours."""
    running = search_runs(client, experiments, "attributes.status = 'RUNNING'")
    return [run for run in running if KIND in run.data.tags]


def _is_left_behind(client: MlflowClient, run: Run) -> bool:
    """Whether an earlier version left a cell open when it ended its sweep, which it ran alone."""
    parent_id = run.data.tags.get(PARENT)
    if run.data.tags.get(KIND) != "cell" or not parent_id:
        return False
    with explained(str(client.tracking_uri)):
        parent = client.get_run(parent_id)
    return parent.data.tags.get(KIND) == "sweep" and parent.info.status in _OVER
