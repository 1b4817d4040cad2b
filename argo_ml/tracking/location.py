"""Where a run is, how to look at it, and how other commands find it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient, get_tracking_uri

from argo_ml.addresses import redacted, shown
from argo_ml.errors import TrackingError
from argo_ml.tracking.stores import (
    LOCAL_STORE,
    STORE_VARIABLE,
    explained,
    is_same_store,
    sqlite_uri,
)

UI_PORT = "5000"
PORT_VARIABLE = "MLFLOW_PORT"
"""Where `mlflow ui` listens if it is not told otherwise: on a Mac AirPlay has port 5000."""
_SERVICES = ("databricks", "arn")
OWN_VARIABLE = "ARGO_ML_TRACKING_URI"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What commands take where nothing names a store: those of MLflow what ``variable`` names,
    those of argo_ml ``store``."""

    variable: str
    store: str

    @classmethod
    def present(cls) -> Surroundings:
        variable = os.environ.get(STORE_VARIABLE, "")
        default = sqlite_uri(Path.cwd() / LOCAL_STORE)
        return cls(variable, os.environ.get(OWN_VARIABLE) or variable or default)


_met_in: dict[str, Surroundings] = {}
"""By store, those that it was first opened in: MLflow sets its variable to what is opened."""


@dataclass(frozen=True, slots=True)
class RunLocation:
    """A run in its experiment, in its tracking store or server."""

    uri: str
    experiment_id: str
    experiment: str
    run_id: str

    @property
    def address(self) -> str:
        """The run's page in MLflow's user interface; empty where that is a service's own."""
        if self._is_of_a_service:
            return ""
        base = shown(self.uri).rstrip("/") if self.is_served else ui_address()
        return f"{base}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    @property
    def is_served(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def _is_of_a_service(self) -> bool:
        """Such as ``databricks``, which is neither a server's address, a database nor a folder."""
        return self.uri.partition(":")[0] in _SERVICES

    @property
    def command(self) -> str:
        """What starts the user interface, without the store's password; empty where it runs."""
        if self.is_served or self._is_of_a_service:
            return ""
        return f"mlflow ui --backend-store-uri {_quoted(self.uri)}"


def ui_address() -> str:
    """Where `mlflow ui` is once it is started without further options."""
    return f"http://127.0.0.1:{os.environ.get(PORT_VARIABLE) or UI_PORT}"


def locate(run_id: str) -> RunLocation:
    """Look up a run in the tracking store that this process uses."""
    uri = get_tracking_uri()
    with explained(uri):
        client = MlflowClient(uri)
        experiment = client.get_experiment(client.get_run(run_id).info.experiment_id)
    return RunLocation(uri, experiment.experiment_id, experiment.name, run_id)


def was_opened(uri: str) -> bool:
    """Whether a command of this process has used the store."""
    return uri in _met_in


def remember_store(uri: str, surroundings: Surroundings) -> None:
    """Note what the user's shell says, before the store ``uri`` is used."""
    _met_in.setdefault(uri, surroundings)


def store_to_name(uri: str = "") -> str:
    """The store, without its password, where commands do not find it by themselves; else empty.

    An empty ``uri`` is the store in use.
    """
    uri = uri or get_tracking_uri()
    met = _met_in.get(uri)
    return _without_password(uri) if met and not _is_same(uri, met.store) else ""


def store_option(uri: str = "") -> str:
    """The option of an argo-ml command, with a space before it, that names `store_to_name`."""
    store = store_to_name(uri)
    return f" --tracking_uri {shlex.quote(store)}" if store else ""


def serving_command(model: str) -> str:
    """The command that serves a model of the store in use, which it does not find by itself."""
    uri = get_tracking_uri()
    met = _met_in.get(uri)
    is_named = met is not None and _is_same(uri, met.variable)
    store = "" if is_named else f"{STORE_VARIABLE}={_quoted(uri)} "
    return f"{store}mlflow models serve -m {model} --env-manager local --port 5001"


def _is_same(uri: str, standing: str) -> bool:
    """What the environment says may be no address at all."""
    try:
        return is_same_store(uri, standing)
    except TrackingError:
        return False


def _without_password(uri: str) -> str:
    """As `redacted`, and without the user where a password is spelled as no URL has one."""
    text = redacted(uri)
    try:
        password = urlsplit(uri).password
    except ValueError:
        return shown(uri)
    return shown(uri) if password and password in text else text


def _quoted(uri: str) -> str:
    return shlex.quote(_without_password(uri))
