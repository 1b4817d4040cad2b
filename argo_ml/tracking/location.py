"""Where a run is, and how to look at it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mlflow import MlflowClient, get_tracking_uri

from argo_ml.addresses import redacted, shown
from argo_ml.tracking.stores import explained

UI_ADDRESS = "http://127.0.0.1:5000"


@dataclass(frozen=True, slots=True)
class RunLocation:
    """A run in its experiment, in its tracking store or server."""

    uri: str
    experiment_id: str
    experiment: str
    run_id: str

    @property
    def address(self) -> str:
        """The run's page in MLflow's user interface."""
        base = shown(self.uri).rstrip("/") if self.is_served else UI_ADDRESS
        return f"{base}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    @property
    def is_served(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def command(self) -> str:
        """What starts the user interface, without the store's password; empty where it runs."""
        if self.is_served:
            return ""
        return f"mlflow ui --backend-store-uri {shlex.quote(redacted(self.uri))}"


def locate(run_id: str) -> RunLocation:
    """Look up a run in the tracking store that this process uses."""
    uri = get_tracking_uri()
    with explained(uri):
        client = MlflowClient(uri)
        experiment = client.get_experiment(client.get_run(run_id).info.experiment_id)
    return RunLocation(uri, experiment.experiment_id, experiment.name, run_id)
