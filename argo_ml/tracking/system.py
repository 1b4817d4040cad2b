"""MLflow's system metrics as time series on one run."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from typing import Any

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from argo_ml.background import begin
from argo_ml.tracking.runs import TrackedRun
from argo_ml.waiting import LAST_WORDS_S

SAMPLING_INTERVAL_S = 5
LATER_INTERVAL_S = 60
MOST_AT_FIRST = 720
"""Samples of a run, an hour's, after which there is one in `LATER_INTERVAL_S`: each is up to dozens
of rows in the store, and runs take weeks."""


class ThinningMonitor(SystemMetricsMonitor):
    """Samples a long run less often, unless MLflow's variable says how often."""

    def publish_metrics(self, metrics: Mapping[str, float]) -> None:
        super().publish_metrics(metrics)  # type: ignore[no-untyped-call]
        is_given = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL" in os.environ
        if self._logging_step >= MOST_AT_FIRST and not is_given:
            self.sampling_interval = LATER_INTERVAL_S


@contextlib.contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Sample CPU, memory, disk, network and GPUs while the block runs.

    On the sweep's run only: every monitored run costs a thread of its own. After an error the last
    samples are not waited for long: MLflow may try for minutes to reach a store that is gone.
    """
    # It tells of missing GPUs and of its own start and end, at every run.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor_type: Any = ThinningMonitor
    monitor = monitor_type(run.run_id, sampling_interval=SAMPLING_INTERVAL_S, resume_logging=True)
    patience_s: float | None = LAST_WORDS_S
    try:
        monitor.start()
        yield
        patience_s = None
    finally:
        # In a thread: an interruption of the main one leaves no transaction open.
        wait([begin("argo-system-metrics", monitor.finish)], patience_s)
