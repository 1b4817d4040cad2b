"""Checks a finished sweep or study against what tracking has stored of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from argo_ml.config import SweepSpec, VerifySpec
from argo_ml.errors import ArgoError
from argo_ml.results.artifacts import RESULTS, SPEC
from argo_ml.results.records import Results
from argo_ml.results.stored import computing_with
from argo_ml.sweep.record import find_run, open_record
from argo_ml.verification import SweepRecord, Verdict
from argo_ml.verification.completeness import (
    check_cells,
    check_finished,
    check_graphs,
    check_results,
    check_stopping,
)
from argo_ml.verification.numbers import (
    check_calls,
    check_consistency,
    check_metrics,
    check_trajectories,
)
from argo_ml.verification.recorded import check_recorded
from argo_ml.verification.theory import (
    graph_1b_verdicts,
    retrieving_findings,
    utility_findings,
)

__all__ = ["Verdict", "open_record", "verify_record", "verify_run", "verify_sweep"]


def verify_run(spec: VerifySpec) -> list[Verdict]:
    """Every check and finding of a sweep or study; empty: the experiment's latest FINISHED sweep.

    The run of a resumption stands for what it continued. Nothing is created.

    Raises:
        ArgoError: there is no such store, experiment, sweep or study.
    """
    if not spec.study:
        return verify_sweep(spec.sweep, spec.tracking_uri, spec.experiment)
    from argo_ml.verification.study import verify_study

    tracking, run = find_run(spec.study, ["study"], spec.tracking_uri, spec.experiment)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        return list(verify_study(tracking, run, spec.storage, spec.cache_path, where))


def verify_sweep(sweep: str, tracking_uri: str, experiment: str) -> list[Verdict]:
    """Every check and finding of a sweep; empty ``sweep``: the experiment's latest FINISHED one."""
    with tempfile.TemporaryDirectory() as folder:
        record = open_record(sweep, tracking_uri, experiment, Path(folder))
        return list(verify_record(record))


def verify_record(record: SweepRecord) -> Iterator[Verdict]:
    yield check_finished(record)
    yield check_graphs(record)
    try:
        spec, results = record.spec(), record.results()
    except ArgoError as error:
        yield Verdict("spec and results", False, f"{error}; nothing more can be checked")
        return
    with computing_with(f"{SPEC} or {RESULTS}", record.run_id):
        yield from _verify_contents(record, spec, results)


def _verify_contents(record: SweepRecord, spec: SweepSpec, results: Results) -> Iterator[Verdict]:
    yield check_cells(record, spec, results)
    yield check_recorded(record, spec, results)
    whole = check_results(record, spec, results)
    yield whole
    if spec.until != "all" or results.stopping is not None:
        yield check_stopping(spec, results)
    yield check_metrics(record, spec, results)
    yield check_calls(record, results)
    yield check_consistency(results)
    yield check_trajectories(record, spec, results)
    if whole.ok:
        yield from graph_1b_verdicts(results)
        yield from retrieving_findings(results)
        yield from utility_findings(results)
