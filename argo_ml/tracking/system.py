"""MLflow's system metrics as time series on one run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from argo_ml.background import begin
from argo_ml.tracking.runs import TrackedRun
from argo_ml.waiting import LAST_WORDS_S

SAMPLING_INTERVAL_S = 5


@contextlib.contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Sample CPU, memory, disk, network and GPUs while the block runs.

    On the sweep's run only: every monitored run costs a thread of its own. After an error the last
    samples are not waited for long: MLflow may try for minutes to reach a store that is gone.
    """
    # It tells of missing GPUs and of its own start and end, at every run.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor_type: Any = SystemMetricsMonitor
    monitor = monitor_type(run.run_id, sampling_interval=SAMPLING_INTERVAL_S, resume_logging=True)
    patience_s: float | None = LAST_WORDS_S
    try:
        monitor.start()
        yield
        patience_s = None
    finally:
        # In a thread: an interruption of the main one leaves no transaction open.
        wait([begin("argo-system-metrics", monitor.finish)], patience_s)
