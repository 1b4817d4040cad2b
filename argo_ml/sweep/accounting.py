"""What was executed for a run, as the ledger of the call cache has it, on the run itself."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from argo_ml.config import CacheFields, SweepSpec
from argo_ml.errors import ArgoError
from argo_ml.models.cache.store import CallCache
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import KIND, TrackedRun, Tracking
from argo_ml.types import Usage

logger = logging.getLogger(__name__)

EXECUTED = "lm_calls_executed"
"""All calls that were executed for a run and its children, whoever needed them in the end."""
UNSETTLED = "lm_calls_unsettled"
"""Calls that were under way when a process of the run died: nobody knows which were executed."""
PRICE_OF_CALLS, PAID_FOR_CALLS = "price_of_calls", "paid_for_calls"
"""In the user's own unit: of all calls needed, and of those executed for the sweep."""
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


def log_payment(run: TrackedRun, spec: SweepSpec, results: Results) -> None:
    """Log what the model's calls are priced at and what was paid for those executed, apart.

    Priced are the calls that every cell would have needed alone; other cells, shards, or earlier
    runs served most of them through the cache. Nothing where prices are shares of a right answer.
    """
    money = spec.money
    if money is None or not money.prices_usage:
        return
    names = ("prompt_tokens", "completion_tokens", "lm_seconds")
    rows = (row for cell in results.cells for row in row_values(cell.questions, *names))
    needed = sum(
        (Usage(prompt_tokens=a, completion_tokens=b, seconds=c) for a, b, c in rows), Usage()
    )
    paid = CallCache(spec.calls_path).paid_by(run.run_id).usage
    price, payment = money.of_usage(needed), money.of_usage(paid)
    unit = unit_of(results.spec)
    logger.info(
        "model calls: priced at %s, paid here %s; the cache and other cells served the rest",
        unit.named(price),
        unit.named(payment),
    )
    run.log(metrics={PRICE_OF_CALLS: price, PAID_FOR_CALLS: payment})


def account_for_dead(tracking: Tracking, spec: CacheFields) -> None:
    """Log on runs of killed processes what the ledger says was executed for them."""
    payers = CallCache(spec.calls_path).ledger().payments
    for status in ("KILLED", "FAILED"):
        for stored in tracking.in_status(status):
            is_unaccounted = EXECUTED not in logged_metrics(stored) and stored.info.run_id in payers
            if stored.data.tags.get(KIND) in PAYING_KINDS and is_unaccounted:
                log_executed(TrackedRun(tracking.client, stored.info.run_id), spec)
