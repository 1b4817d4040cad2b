"""MLflow's system metrics as time series on one run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from argo_ml.tracking.runs import TrackedRun

SAMPLING_INTERVAL_S = 5


@contextlib.contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Sample CPU, memory, disk, network and GPUs while the block runs.

    On the sweep's run only: every monitored run costs a thread of its own.
    """
    # It tells of missing GPUs and of its own start and end, at every run.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor_type: Any = SystemMetricsMonitor
    monitor = monitor_type(run.run_id, sampling_interval=SAMPLING_INTERVAL_S, resume_logging=True)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
