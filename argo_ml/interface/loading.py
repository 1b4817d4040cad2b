"""The results of jobs that have finished, by their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from argo_ml.calibration.record import Calibration
from argo_ml.config import StudySpec
from argo_ml.errors import ConfigError
from argo_ml.evaluation.advice import Advice
from argo_ml.interface.returned import (
    AdviceResult,
    CalibrationResult,
    StudyResult,
    loaded_sweep,
)
from argo_ml.results.artifacts import ADVICE, CALIBRATION, STUDY_REPORT, STUDY_STORAGE
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.study import StudyReport
from argo_ml.sweep.parent_run import load_record
from argo_ml.sweep.rebuilding import REPORTED
from argo_ml.sweep.record import find_run
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.owners import another_alive
from argo_ml.tracking.reconciling import how_to_go_on
from argo_ml.tracking.runs import KIND, Run, Tracking
from argo_ml.tracking.stores import sqlite_uri


def loaded_result(run_id: str, tracking_uri: str) -> Any:
    """What the job of a finished run returned. Raises `ArgoError`."""
    tracking, run = find_run(run_id, (*REPORTED, *_LOADERS), tracking_uri, "")
    kind, own_id = run.data.tags[KIND], run.info.run_id
    if process := another_alive(run):
        raise ConfigError(f"{kind}={own_id}: is being run by {process}; wait for it")
    if kind in REPORTED:
        return loaded_sweep(own_id, tracking_uri)
    if run.info.status != "FINISHED":
        remedy = how_to_go_on(tracking.client, run)
        raise ConfigError(f"{kind}={own_id}: it is {run.info.status}; {remedy}")
    return _LOADERS[kind](tracking, run)


def _advice(tracking: Tracking, run: Run) -> AdviceResult:
    return AdviceResult(load_record(tracking, run.info.run_id, ADVICE, Advice), tracking.uri)


def _calibration(tracking: Tracking, run: Run) -> CalibrationResult:
    run_id = run.info.run_id
    calibration = load_record(tracking, run_id, CALIBRATION, Calibration)
    return CalibrationResult(run_id, calibration, logged_metrics(run))


def _study(tracking: Tracking, run: Run) -> StudyResult:
    """With the copy of its storage that its run has, which its figures are drawn from."""
    run_id, folder = run.info.run_id, KeptFolder()
    report = load_record(tracking, run_id, STUDY_REPORT, StudyReport)
    copy = tracking.download(run_id, STUDY_STORAGE, folder.path)
    return StudyResult(report, StudySpec(storage=sqlite_uri(copy)), folder)


_LOADERS: Mapping[str, Callable[[Tracking, Run], Any]] = {
    "advice": _advice,
    "calibration": _calibration,
    "study": _study,
}
