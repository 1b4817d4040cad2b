"""Makes the report of a finished sweep or replay anew, from what its run has stored."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from argo_ml.config import ReportSpec
from argo_ml.errors import ArgoError, ConfigError, system_reason
from argo_ml.evaluation.examples import Example, example_cells, make_examples
from argo_ml.evaluation.protocol import evaluate, reexamined, with_conclusion
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.report import store_report
from argo_ml.results.artifacts import EVALUATION, RESULTS
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.records import Results
from argo_ml.results.row_files import with_rows
from argo_ml.results.stored import computing_with, stored_record
from argo_ml.results.unit import unit_of
from argo_ml.sweep.cell_run import store_cell_figures
from argo_ml.sweep.record import SweepRecord, open_record
from argo_ml.sweep.stored_files import stored_examples
from argo_ml.tracking.location import store_option
from argo_ml.tracking.runs import KIND, Run, TrackedRun
from argo_ml.tracking.stores import explained

logger = logging.getLogger(__name__)

REPORTED = ("sweep", "replay")
"""Kinds of runs that have a report."""


def rebuild_report(spec: ReportSpec) -> str:
    """Draw and write the report again and log it; returns the id of the sweep's run.

    Empty ``spec.sweep``: the experiment's latest finished one. With ``spec.cells`` the figures of
    its cells are drawn as well, and logged on their runs.

    Raises:
        ArgoError: there is no such sweep, it is unfinished, or ``spec.output`` cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        where = spec.tracking_uri, spec.experiment, Path(folder)
        record = open_record(spec.sweep, *where, kinds=REPORTED)
        _check_finished(record.run)
        results = record.results()
        run_id = str(record.run.info.run_id)
        run = TrackedRun(record.tracking.client, run_id)
        with computing_with(f"{RESULTS} or {EVALUATION}", run_id):
            text = store_report(
                run, _evaluation(record, results), results, _examples(record, results, run)
            )
            for cell in results.cells if spec.cells else ():
                run_of_cell = TrackedRun(record.tracking.client, cell.run_id)
                store_cell_figures(run_of_cell, cell, unit_of(results.spec))
    if spec.output:
        write_page(Path(spec.output).expanduser(), text)
    return run_id


def load_evaluated(run_id: str, tracking_uri: str = "") -> tuple[Results, Evaluation]:
    """The results of a finished sweep or replay, and their evaluation. Raises `ArgoError`."""
    folder = KeptFolder()
    record = open_record(run_id, tracking_uri, "", folder.path, kinds=REPORTED)
    _check_finished(record.run)
    summary = stored_record(record.artifact(RESULTS), Results, record.run_id)
    results = with_rows(summary, record.artifact, folder)
    with computing_with(f"{RESULTS} or {EVALUATION}", record.run_id):
        return results, _evaluation(record, results)


def _check_finished(run: Run) -> None:
    if run.info.status != "FINISHED":
        run_id = run.info.run_id
        remedy = f"finish it first: argo-ml sweep --resume {run_id}{store_option()}"
        if run.data.tags.get(KIND) != REPORTED[0]:
            remedy = "a replay cannot be resumed, only run again: argo-ml replay"
        raise ConfigError(f"sweep={run_id}: it is {run.info.status}; {remedy}")


def _evaluation(record: SweepRecord, results: Results) -> Evaluation:
    """The stored evaluation, with what it lacks made now.

    Sweeps of earlier versions were stored without, or without break-even prices.
    """
    if not _has_evaluation(record):
        return evaluate(results)
    stored = stored_record(record.artifact(EVALUATION), Evaluation, record.run_id)
    stored = reexamined(stored, results)
    return stored if stored.mean_utilities else with_conclusion(stored, results)


def _examples(record: SweepRecord, results: Results, run: TrackedRun) -> tuple[Example, ...]:
    """The stored examples, or those that the trajectories of an earlier version give; a replay has
    none."""
    stored = stored_examples(run)
    if stored or record.run.data.tags.get(KIND) != REPORTED[0]:
        return stored
    cells = example_cells(results)
    try:
        lines = {cell.run_id: record.trajectories(cell) for cell in cells}
        return make_examples(results, lines, record.passages()) if cells else ()
    except (ArgoError, LookupError) as error:
        logger.warning("the report has no examples: trajectories cannot be read (%s)", error)
        return ()


def _has_evaluation(record: SweepRecord) -> bool:
    tracking = record.tracking
    with explained(tracking.uri):
        artifacts = tracking.client.list_artifacts(record.run.info.run_id)
    return any(artifact.path == EVALUATION for artifact in artifacts)


def write_page(path: Path, text: str) -> None:
    """Raises `ConfigError` where there can be no such file."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"output={path}: cannot be written ({system_reason(error)}); name a file in a folder "
            "that is there"
        ) from None
