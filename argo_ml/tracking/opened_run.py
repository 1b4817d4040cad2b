"""The run that `mlflow run` opened for this process: where it is, and whether it is in use already.

Its variable may also have stayed in the environment, and name a run of an earlier command.
"""

from __future__ import annotations

import logging
import os

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from argo_ml.addresses import redacted
from argo_ml.tracking.stores import (
    NOT_THERE,
    STORE_VARIABLE,
    check_reachable,
    explained,
    is_same_store,
)

OPENED_RUN = "MLFLOW_RUN_ID"
"""Environment variable of the run that `mlflow run` opened for this process."""
KIND = "argo.kind"
"""Tag of what a run is, which every run has that a command of this package has made or used."""

logger = logging.getLogger(__name__)

_stores: dict[str, str] = {}
"""By run, what MLflow's variable said of its store: MLflow sets it to what a command opens."""


def remember_opened_store(standing: str) -> None:
    """Note what MLflow's variable says before a command opens a store."""
    if run_id := os.environ.get(OPENED_RUN):
        _stores.setdefault(run_id, standing)


def opened_store() -> str:
    """Where `mlflow run` tracks, which the command may have been told otherwise; empty where
    nothing says."""
    standing = os.environ.get(STORE_VARIABLE, "")
    return _stores.get(os.environ.get(OPENED_RUN, ""), standing)


def opened_client(client: MlflowClient) -> MlflowClient:
    """A client of the store that the opened run is in. Raises `TrackingError` where it is gone."""
    store = opened_store()
    if not store or is_same_store(store, str(client.tracking_uri)):
        return client
    check_reachable(store)
    with explained(store):
        return MlflowClient(store)


def opened_in(client: MlflowClient) -> str:
    """The experiment of the opened run; empty without one in the store of ``client``."""
    store = opened_store()
    if store and not is_same_store(store, str(client.tracking_uri)):
        return ""
    run = find_opened_run(client)
    return str(run.info.experiment_id) if run else ""


def find_opened_run(client: MlflowClient) -> Run | None:
    """The opened run, as long as no command has used it; ``client`` is one of its store.

    Of another run that the variable names the log says what it is, and it is left alone.
    """
    run_id = os.environ.get(OPENED_RUN)
    if not run_id:
        return None
    run = _find(client, run_id)
    what = _what_else(run) if run else f"no run of {redacted(str(client.tracking_uri))}"
    if not what:
        return run
    del os.environ[OPENED_RUN]
    logger.warning("%s=%s names %s: this command leaves it alone", OPENED_RUN, run_id, what)
    return None


def _find(client: MlflowClient, run_id: str) -> Run | None:
    with explained(str(client.tracking_uri)):
        try:
            return client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in NOT_THERE:
                return None
            raise


def _what_else(run: Run) -> str:
    """What a run is that was not opened for this process; empty for one that was."""
    if run.info.lifecycle_stage != "active":
        return "a run that was deleted"
    if kind := run.data.tags.get(KIND):
        return f"the {kind} of another command"
    return "" if run.info.status == "RUNNING" else "a run that has ended"
