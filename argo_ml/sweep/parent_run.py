"""The run whose children are cells or trials: its spec, and a run that points to it, resumed."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from argo_ml.addresses import BLOTTED, HIDDEN, lacks_password, redacted_value
from argo_ml.config import Spec
from argo_ml.errors import ConfigError
from argo_ml.results.artifacts import ENVIRONMENT, SPEC, UNCOMMITTED_DIFF
from argo_ml.results.stored import RecordType, stored_parameters, stored_record
from argo_ml.tracking import environment, runs
from argo_ml.tracking.deleted import is_deleted, way_back
from argo_ml.tracking.location import store_option
from argo_ml.tracking.owners import another_alive, another_elsewhere
from argo_ml.tracking.reconciling import reconcile
from argo_ml.tracking.runs import Run, TrackedRun, Tracking

ANEW = "start a new one instead: leave resume out once, and resume=latest takes that from then on"
"""What is to be done where a run cannot be gone on with, for an error's line."""
logger = logging.getLogger(__name__)
_PATHS = ("questions", "documents", "cache_dir", "outcomes", "calibration_outcomes")
_PASSWORDS_LEFT_OUT = (
    "# No run keeps passwords: give what has PASSWORD@ or *** in it again on the command line,\n"
    "# or as ARGO_ML_<NAME>, to go on with this.\n"
)


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The run that a sweep or a calibration is a child of, and what tells it from the others.

    An empty ``name`` leaves the child the one that it would have.
    """

    run: TrackedRun
    tracking: Tracking
    tags: Mapping[str, str]
    name: str = ""

    def create_child(self, name: str, tags: Mapping[str, str]) -> TrackedRun:
        return self.tracking.create_child(self.run, self.name or name, {**tags, **self.tags})


@contextlib.contextmanager
def pointing_at(parent_id: str, kind: str, tracking: Tracking) -> Iterator[None]:
    """Let the run that `mlflow run` opened for a resumption point to what it continues."""
    pointer = tracking.opened_run()
    if pointer is None:
        yield
        return
    note = f"Continues the {kind} `{parent_id}`; its results are there."
    pointer.point_to(parent_id, f"resume of {parent_id[:8]}", note)
    with pointer.recording_failure():
        yield
        pointer.end()


@contextlib.contextmanager
def telling_how_to_go_on(command: str, run: TrackedRun, tracking: Tracking) -> Iterator[None]:
    """Say the command that goes on with a run where it is left unfinished."""
    try:
        yield
    except BaseException:
        whole = f"argo-ml {command} --resume {run.run_id}{store_option(tracking.uri)}"
        logger.warning("unfinished; go on with: %s", whole)
        raise


def find_resumed(tracking: Tracking, run_id: str, kind: str) -> tuple[Run, Tracking]:
    """Find the run to continue, by its own id or that of a run which points to it, and its own
    experiment, of which nothing stays RUNNING that no process is at work on.

    Raises `ConfigError` for a run of another kind, or that another process is at work on, and
    `TrackingError` where there is none.
    """
    stored = tracking.find(run_id)
    if stored.data.tags.get(runs.KIND) != kind:
        raise ConfigError(f"resume={run_id}: that run is not a {kind}")
    _check_left(stored, kind)
    home = Tracking(tracking.client, stored.info.experiment_id, tracking.uri)
    reconcile(home)
    return stored, home


def _check_left(stored: Run, kind: str) -> None:
    """Raises `ConfigError` where nobody may go on with it, and warns where nobody can say."""
    run_id = stored.info.run_id
    if is_deleted(stored):
        raise ConfigError(
            f"resume={run_id}: this {kind} was deleted in MLflow; take it back "
            f"({way_back(run_id)}), or begin another without resume"
        )
    if other := another_alive(stored):
        raise ConfigError(f"{kind} {run_id} is being run by {other}; wait for it or stop it first")
    if elsewhere := another_elsewhere(stored):
        logger.warning(
            "%s %s may still be run by %s, which cannot be seen from here: both would write its "
            "runs; go on only if that has ended",
            kind,
            run_id,
            elsewhere,
        )


def load_parameters(tracking: Tracking, run_id: str) -> dict[str, Any]:
    """Load the parameters that a run was made with."""
    with tempfile.TemporaryDirectory() as folder:
        return stored_parameters(tracking.download(run_id, SPEC, Path(folder)), run_id)


def load_record(
    tracking: Tracking, run_id: str, artifact: str, record_type: type[RecordType]
) -> RecordType:
    """Load what a run keeps as JSON under ``artifact``."""
    with tempfile.TemporaryDirectory() as folder:
        path = tracking.download(run_id, artifact, Path(folder))
        return stored_record(path, record_type, run_id)


def recorded(spec: Spec) -> dict[str, Any]:
    """The spec's fields as a run keeps them: without passwords.

    A sweep that is resumed keeps what one keeps that was not interrupted.
    """
    values = {name: _kept(value) for name, value in spec.model_dump(mode="json").items()}
    return {**values, "resume": ""} if "resume" in values else values


def _kept(value: Any) -> Any:
    if isinstance(value, list):
        return [_kept(item) for item in value]
    return redacted_value(value) if isinstance(value, str) else value


def stored_values(spec: Spec) -> dict[str, Any]:
    """The spec's fields as a run stores them to be gone on with: `recorded`, with whole paths."""
    values = recorded(spec)
    for name in _PATHS:
        if values.get(name) and not lacks_password(values[name]):
            values[name] = str(Path(values[name]).expanduser().resolve())
    calibration = values.get("calibration")
    # Else it is the id of a run.
    if calibration and (path := Path(calibration).expanduser()).exists():
        values["calibration"] = str(path.resolve())
    return values


def store_spec(run: TrackedRun, spec: Spec) -> None:
    values = stored_values(spec)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        is_whole = HIDDEN not in str(values) and BLOTTED not in str(values)
        text = "" if is_whole else _PASSWORDS_LEFT_OUT
        text += yaml.safe_dump(values, sort_keys=False)
        (target / SPEC).write_text(text, encoding="utf-8")
        (target / ENVIRONMENT).write_text(environment.packages(), encoding="utf-8")
        diff = environment.uncommitted_diff()
        if diff:
            (target / UNCOMMITTED_DIFF).write_text(diff, encoding="utf-8")
        run.log_folder(target)
