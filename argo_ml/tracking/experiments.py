"""Which experiment a command works in, by what was said to it and to `mlflow run`."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from argo_ml.addresses import redacted
from argo_ml.errors import TrackingError
from argo_ml.tracking.stores import (
    STORE_VARIABLE,
    active_experiments,
    is_same_store,
    sqlite_path,
)

OPENED_RUN = "MLFLOW_RUN_ID"
"""Environment variable of the run that `mlflow run` opened for this process."""
NAME_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
FALLBACK = "argo_ml"
_UNNAMED_ID = "0"
"""MLflow's own default experiment, in which `mlflow run` opens a run where it is told of none."""


def experiment_id(client: MlflowClient, name: str, create: bool) -> str:
    """The experiment called ``name``; without a name the one that MLflow was told of.

    Raises `TrackingError` for one that was deleted, or is not there and not to be created.
    """
    if not name and (home := opened_in(client)) not in (_UNNAMED_ID, ""):
        return home
    return _by_name(client, name or os.environ.get(NAME_VARIABLE) or FALLBACK, create)


def opened_in(client: MlflowClient) -> str:
    """The experiment of the run that `mlflow run` opened; empty without one in this store."""
    opened = os.environ.get(OPENED_RUN)
    if not opened or not is_same_store(opened_store(client), str(client.tracking_uri)):
        return ""
    return str(client.get_run(opened).info.experiment_id)


def opened_store(client: MlflowClient) -> str:
    """Where `mlflow run` tracks, which the command may have been told otherwise."""
    return os.environ.get(STORE_VARIABLE) or str(client.tracking_uri)


def _by_name(client: MlflowClient, name: str, create: bool) -> str:
    experiment: Experiment | None = client.get_experiment_by_name(name)
    if experiment is None and create:
        return _created(client, name)
    if experiment is None:
        known = ", ".join(sorted(other.name for other in active_experiments(client)))
        where = redacted(client.tracking_uri)
        raise TrackingError(f"experiment={name!r} is not in {where}; known: {known}")
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"experiment={name!r} was deleted; restore it in MLflow or choose another name"
        )
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
