"""What a run and its children have recorded, without what differs from one try to the next."""

from __future__ import annotations

import re
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from argo_ml.tracking.runs import CELL_ID, ERROR, LOST, PARENT, SWEEP_ID, WARNING

READINGS = re.compile(
    r"^(devices/|time/|.*seconds_|.*_seconds$|estimate|.*estimated|calls/lm_calls_unsettled$)|mb$"
)
"""Metrics that are readings of a clock or of devices, and the calls that a kill met under way: how
many points they have is compared."""
_BY_TIME = "system/"
"""What MLflow reads of the machine every five seconds: a fast run has none."""
_OWN_TAGS = ("argo.process", CELL_ID, PARENT, SWEEP_ID, "mlflow.runName")
_OWN_PARAMS = ("cache_dir", "model", "tracking_uri", "experiment", "resume")


def recorded(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """The run under its kind, its children under their names."""
    run = client.get_run(run_id)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.`{PARENT}` = '{run_id}'", max_results=1000
    )
    own = {run.data.tags["argo.kind"]: _record(client, run)}
    return own | {child.info.run_name: _record(client, child) for child in children}


def _record(client: MlflowClient, run: Run) -> dict[str, Any]:
    params, tags = run.data.params, run.data.tags
    return {
        "status": run.info.status,
        "params": {
            name: value
            for name, value in params.items()
            if name.rpartition("/")[2] not in _OWN_PARAMS
        },
        "tags": {name for name in tags if name not in (*_OWN_TAGS, WARNING)},
        "errors": [tags[name] for name in (ERROR, LOST) if name in tags],
        "inputs": sorted(entry.dataset.digest for entry in run.inputs.dataset_inputs),
        "metrics": {
            name: _points(client, run, name)
            for name in sorted(run.data.metrics)
            if not name.startswith(_BY_TIME)
        },
    }


def _points(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float | None]]:
    history = client.get_metric_history(run.info.run_id, name)
    is_reading = READINGS.search(name) is not None
    return sorted((point.step, None if is_reading else point.value) for point in history)
