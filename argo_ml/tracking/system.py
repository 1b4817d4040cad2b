"""MLflow's system metrics as time series on one run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from argo_ml.tracking.runs import TrackedRun

SAMPLING_INTERVAL_S = 5


@contextlib.contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Sample CPU, memory, disk, network and GPUs while the block runs.

    On the sweep's run only: every monitored run costs a thread of its own.
    """
    monitor = SystemMetricsMonitor(
        run.run_id, sampling_interval=SAMPLING_INTERVAL_S, resume_logging=True
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
