"""What was executed for a run, as the ledger of the call cache has it, on the run itself."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from argo_ml.config import CacheFields, SweepSpec
from argo_ml.errors import ArgoError
from argo_ml.models.cache.store import CallCache
from argo_ml.models.cache.summaries import Payment
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import CALLS_ELSEWHERE, KIND, LEDGER, Run, TrackedRun, Tracking
from argo_ml.types import Usage

logger = logging.getLogger(__name__)

EXECUTED = "lm_calls_executed"
"""All calls that were executed for a run and its children, whoever needed them in the end."""
UNSETTLED = "lm_calls_unsettled"
"""Calls that were under way when a process of the run died: nobody knows which were executed."""
PRICE_OF_CALLS, PAID_FOR_CALLS = "price_of_calls", "paid_for_calls"
"""In the user's own unit: of all calls needed, and of those executed for the sweep."""
PAYING_KINDS = ("sweep", "cell", "calibration", "study")


def has_whole_ledger(run: TrackedRun, spec: CacheFields, executes_here: bool = True) -> bool:
    """Whether the ledger here has all calls executed for the run: once some are executed with
    another call cache it has not, which a tag says for good."""
    tags, here = run.tags, CallCache(spec.calls_path).ledger_id()
    if not executes_here or tags.get(LEDGER, here) != here:
        run.log(tags={CALLS_ELSEWHERE: "true"})
        return False
    if LEDGER not in tags:
        run.log(tags={LEDGER: here})
    return CALLS_ELSEWHERE not in tags


@contextlib.contextmanager
def accounting(run: TrackedRun, spec: CacheFields) -> Iterator[None]:
    """Log what was executed for the run once the block has ended, also by an error."""
    try:
        yield
    except BaseException as error:
        # What ended the block matters more.
        with contextlib.suppress(ArgoError), run.last_words(str(error)):
            log_executed(run, spec)
        raise
    log_executed(run, spec)


def log_executed(run: TrackedRun, spec: CacheFields) -> None:
    """Nothing where the ledger here does not know it, as another worker may have found meanwhile.

    Raises `ArgoError` from the cache and from the store.
    """
    if CALLS_ELSEWHERE in run.tags:
        return
    paid = CallCache(spec.calls_path).paid_by(run.run_id)
    run.log(metrics={EXECUTED: float(paid.executed), UNSETTLED: float(paid.unsettled)})


def log_payment(run: TrackedRun, spec: SweepSpec, results: Results, is_known: bool = True) -> None:
    """Log what the model's calls are priced at and, where it ``is_known``, what was paid for those
    executed, apart.

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
    price, unit = money.of_usage(needed), unit_of(results.spec)
    if not is_known:
        logger.info(
            "model calls: priced at %s; what was paid is in the ledgers of the workers' machines "
            "(argo-ml cache ledger)",
            unit.named(price),
        )
        run.log(metrics={PRICE_OF_CALLS: price})
        return
    payment = money.of_usage(CallCache(spec.calls_path).paid_by(run.run_id).usage)
    logger.info(
        "model calls: priced at %s, paid here %s; the cache and other cells served the rest",
        unit.named(price),
        unit.named(payment),
    )
    run.log(metrics={PRICE_OF_CALLS: price, PAID_FOR_CALLS: payment})


def account_for_dead(tracking: Tracking, spec: CacheFields) -> None:
    """Log on runs of killed processes what the ledger says was executed for them."""
    payments = CallCache(spec.calls_path).ledger().payments
    for status in ("KILLED", "FAILED"):
        for stored in tracking.in_status(status):
            payment = payments.get(stored.info.run_id)
            if payment and _is_accountable(stored) and _is_behind(stored, payment):
                log_executed(TrackedRun(tracking.client, stored.info.run_id), spec)


def _is_accountable(stored: Run) -> bool:
    tags = stored.data.tags
    return tags.get(KIND) in PAYING_KINDS and CALLS_ELSEWHERE not in tags


def _is_behind(stored: Run, payment: Payment) -> bool:
    """Whether the run says less than the ledger: nothing, or what an earlier attempt has logged."""
    logged = logged_metrics(stored)
    known = logged.get(EXECUTED, -1.0), logged.get(UNSETTLED, 0.0)
    return (payment.executed, payment.unsettled) > known
