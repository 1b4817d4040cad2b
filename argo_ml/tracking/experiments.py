"""Which experiment a command works in, by what was said to it and to `mlflow run`."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import fluent

from argo_ml.addresses import redacted
from argo_ml.errors import TrackingError
from argo_ml.tracking.location import was_opened
from argo_ml.tracking.opened_run import opened_in
from argo_ml.tracking.stores import NOT_THERE, active_experiments, is_same_store, sqlite_path

NAME_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
ID_VARIABLE = "MLFLOW_EXPERIMENT_ID"
"""Also what `mlflow.set_experiment` sets."""
FALLBACK = "argo_ml"
_UNNAMED = ("0", "")
"""MLflow's own default experiment, in which `mlflow run` opens a run where it is told of none."""

_home_of: dict[str, str] = {}
"""By id that the variable has named, the store that it is of, as far as that is known."""


def note_home_of_id(variable: str) -> None:
    """Note which store the id is of before another one is opened: that which MLflow's ``variable``
    of stores names, or that in which a notebook has chosen its experiment.

    A command that has opened a store told MLflow of it; whose id was known before stays known.
    """
    experiment_id, told = os.environ.get(ID_VARIABLE), variable or get_tracking_uri()
    if not experiment_id or not (variable or fluent._active_experiment_id == experiment_id):
        return
    if was_opened(told):
        _home_of.setdefault(experiment_id, told)
    else:
        _home_of[experiment_id] = told


def experiment_id(client: MlflowClient, name: str, create: bool) -> str:
    """The experiment called ``name``; without a name the one that MLflow was told of.

    Raises `TrackingError` for one that was deleted, or is not there and not to be created.
    """
    if name:
        return _by_name(client, name, create)
    if (home := opened_in(client)) not in _UNNAMED:
        return home
    if (told := _id_in_variable(client)) not in _UNNAMED:
        return _by_id(client, told)
    return _by_name(client, os.environ.get(NAME_VARIABLE) or FALLBACK, create)


def _id_in_variable(client: MlflowClient) -> str:
    """The id that MLflow was told of, empty where it is of another store."""
    experiment_id = os.environ.get(ID_VARIABLE, "")
    home = _home_of.get(experiment_id, "")
    is_of_this = not home or is_same_store(home, str(client.tracking_uri))
    return experiment_id if is_of_this else ""


def _by_id(client: MlflowClient, experiment_id: str) -> str:
    try:
        experiment = client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        raise TrackingError(
            f"{ID_VARIABLE}={experiment_id} is not in {redacted(client.tracking_uri)}; unset it, "
            "or name an experiment: experiment=NAME"
        ) from None
    return _active_id(experiment, f"{ID_VARIABLE}={experiment_id}")


def _by_name(client: MlflowClient, name: str, create: bool) -> str:
    experiment: Experiment | None = client.get_experiment_by_name(name)
    if experiment is None and create:
        return _created(client, name)
    if experiment is None:
        known = ", ".join(sorted(other.name for other in active_experiments(client)))
        where = redacted(client.tracking_uri)
        raise TrackingError(f"experiment={name!r} is not in {where}; known: {known}")
    return _active_id(experiment, f"experiment={name!r}")


def _active_id(experiment: Experiment, named: str) -> str:
    if experiment.lifecycle_stage != "active":
        raise TrackingError(f"{named} was deleted; restore it in MLflow or choose another name")
    return str(experiment.experiment_id)


def _created(client: MlflowClient, name: str) -> str:
    try:
        return str(client.create_experiment(name, artifact_location=_artifacts(client, name)))
    except MlflowException:
        # Another command may have made it meanwhile.
        other: Experiment | None = client.get_experiment_by_name(name)
        if other is None:
            raise
        return str(other.experiment_id)


def _artifacts(client: MlflowClient, name: str) -> str | None:
    """Where artifacts go beside a local store, where MLflow would take the folder for a quoted one.

    None everywhere else: MLflow knows best.
    """
    here = Path.cwd()
    if sqlite_path(str(client.tracking_uri)) is None or unquote(str(here)) == str(here):
        return None
    return (here / "mlruns" / quote(name, safe="")).as_uri()
