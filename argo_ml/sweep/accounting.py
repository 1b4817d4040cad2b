"""What was executed for a run, as the ledger of the call cache has it, on the run itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from argo_ml.config import CacheFields
from argo_ml.errors import ArgoError
from argo_ml.models.cache.store import CallCache
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import KIND, TrackedRun, Tracking

EXECUTED = "lm_calls_executed"
"""All calls that were executed for a run and its children, whoever needed them in the end."""
UNSETTLED = "lm_calls_unsettled"
"""Calls that were under way when a process of the run died: nobody knows which were executed."""
PAYING_KINDS = ("sweep", "cell", "calibration", "study")


@contextlib.contextmanager
def accounting(run: TrackedRun, spec: CacheFields) -> Iterator[None]:
    """Log what was executed for the run once the block has ended, also by an error."""
    try:
        yield
    except BaseException:
        # What ended the block matters more.
        with contextlib.suppress(ArgoError):
            log_executed(run, spec)
        raise
    log_executed(run, spec)


def log_executed(run: TrackedRun, spec: CacheFields) -> None:
    """Raises `ArgoError` from the cache and from the store."""
    paid = CallCache(spec.calls_path).paid_by(run.run_id)
    run.log(metrics={EXECUTED: float(paid.executed), UNSETTLED: float(paid.unsettled)})


def account_for_dead(tracking: Tracking, spec: CacheFields) -> None:
    """Log on runs of killed processes what the ledger says was executed for them."""
    payers = CallCache(spec.calls_path).ledger().payments
    for status in ("KILLED", "FAILED"):
        for stored in tracking.in_status(status):
            is_unaccounted = EXECUTED not in logged_metrics(stored) and stored.info.run_id in payers
            if stored.data.tags.get(KIND) in PAYING_KINDS and is_unaccounted:
                log_executed(TrackedRun(tracking.client, stored.info.run_id), spec)
