"""Checks a finished sweep or study against what tracking has stored of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow.entities import Run

from argo_ml.command_specs import VerifySpec
from argo_ml.errors import ArgoError, ConfigError
from argo_ml.experiments.verification import SweepRecord, Verdict
from argo_ml.experiments.verification.completeness import (
    check_cells,
    check_finished,
    check_graphs,
    check_results,
)
from argo_ml.experiments.verification.numbers import (
    check_calls,
    check_consistency,
    check_metrics,
    check_trajectories,
)
from argo_ml.experiments.verification.theory import graph_1b_verdicts, utility_findings
from argo_ml.tracking import runs
from argo_ml.tracking.runs import Tracking, connect, open_client

__all__ = ["Verdict", "open_record", "verify_record", "verify_run", "verify_sweep"]


def verify_run(spec: VerifySpec) -> list[Verdict]:
    """Every check and finding of a sweep or study; empty: the experiment's latest FINISHED sweep.

    The run of a resumption stands for what it continued. Nothing is created.

    Raises:
        ArgoError: there is no such store, experiment, sweep or study.
    """
    if not spec.study:
        return verify_sweep(spec.sweep, spec.tracking_uri, spec.experiment)
    from argo_ml.experiments.verification.study import verify_study

    tracking, run = _find(spec.study, ["study"], spec.tracking_uri, spec.experiment)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        return list(verify_study(tracking, run, spec.storage, spec.cache_path, where))


def verify_sweep(sweep: str, tracking_uri: str, experiment: str) -> list[Verdict]:
    """Every check and finding of a sweep; empty ``sweep``: the experiment's latest FINISHED one."""
    with tempfile.TemporaryDirectory() as folder:
        record = open_record(sweep, tracking_uri, experiment, Path(folder))
        return list(verify_record(record))


def open_record(
    sweep: str,
    tracking_uri: str,
    experiment: str,
    folder: Path,
    kinds: Sequence[str] = ("sweep",),
) -> SweepRecord:
    """The sweep's record, or that of another of ``kinds``; its artifacts will be fetched into
    ``folder``."""
    tracking, run = _find(sweep, kinds, tracking_uri, experiment)
    return SweepRecord(tracking, run, tuple(tracking.children(run.info.run_id)), folder)


def verify_record(record: SweepRecord) -> Iterator[Verdict]:
    yield check_finished(record)
    yield check_graphs(record)
    try:
        spec, results = record.spec(), record.results()
    except ArgoError as error:
        yield Verdict("spec and results", False, f"{error}; nothing more can be checked")
        return
    yield check_cells(record, spec, results)
    whole = check_results(record, spec, results)
    yield whole
    yield check_metrics(record, spec, results)
    yield check_calls(record, results)
    yield check_consistency(results)
    yield check_trajectories(record, spec, results)
    if whole.ok:
        yield from graph_1b_verdicts(results)
        yield from utility_findings(results)


def _find(
    run_id: str, kinds: Sequence[str], tracking_uri: str, experiment: str
) -> tuple[Tracking, Run]:
    """The run, of one of ``kinds``; without an id the latest of the first."""
    kind = kinds[0]
    if not run_id:
        tracking = connect(tracking_uri, experiment, create=False)
        latest = tracking.latest_finished(kind)
        if latest is None:
            raise ConfigError(f"experiment={experiment}: no finished {kind} there; run one first")
        return tracking, latest
    client = open_client(tracking_uri, create=False)
    anywhere = Tracking(client, "", str(client.tracking_uri))
    run = anywhere.get(run_id)
    if run.data.tags.get(runs.KIND) == "resume":
        run = anywhere.get(run.data.tags.get(runs.SWEEP_ID, ""))
    found = run.data.tags.get(runs.KIND, "something else")
    if found not in kinds:
        raise ConfigError(f"{kind}={run_id}: that run is a {found}, not a {kind}")
    return Tracking(client, run.info.experiment_id, anywhere.uri), run
