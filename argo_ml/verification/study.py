"""Checks of a study: MLflow and Optuna say the same, and the report follows from both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import TrialState

from argo_ml.config import ExperimentSpec, StudySpec, build
from argo_ml.errors import ArgoError
from argo_ml.results.artifacts import settings_file
from argo_ml.results.metrics import utilities
from argo_ml.results.records import Results
from argo_ml.results.stored import stored_object
from argo_ml.results.study import StudyReport, settings_of
from argo_ml.study import load_report, storage
from argo_ml.study.judging import SHARD_SIZE, judged_cells, utility_difference
from argo_ml.study.reconciliation import disagreements, trial_runs
from argo_ml.sweep.cell_run import curve_steps
from argo_ml.sweep.record import SweepRecord
from argo_ml.sweep.running import load_results
from argo_ml.tracking import runs
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.owners import OWNER
from argo_ml.tracking.runs import Run, Tracking
from argo_ml.verification.numbers import (
    check_consistency,
    check_trajectories,
    wrong_calls,
    wrong_metrics,
)
from argo_ml.verification.recorded import wrong_curves, wrong_inputs, wrong_params
from argo_ml.verification.verdict import Verdict, claim_above, finding, judged

NEAR = 1e-9


def verify_study(
    tracking: Tracking, run: Run, storage_url: str, cache_dir: Path, folder: Path
) -> Iterator[Verdict]:
    """Every check; ``storage_url`` and ``cache_dir`` are where this machine has the storage."""
    run_id = run.info.run_id
    status = run.info.status
    yield Verdict("finished", status == "FINISHED", f"the study's run is {status}")
    try:
        report = load_report(tracking, run_id)
        results = load_results(tracking, run_id)
        study = _study(run, storage_url, cache_dir)
    except ArgoError as error:
        yield Verdict("report and storage", False, f"{error}; nothing more can be checked")
        return
    yield _agreement(study, tracking, run_id)
    yield _recorded(study, report, tracking, run)
    yield _counts(study, report)
    yield _best(study, report, tracking, folder)
    yield _judgement(report, results)
    cells = tuple(child for child in tracking.children(run_id) if _is_cell(child))
    yield from _cells(SweepRecord(tracking, run, cells, folder), report, results)
    for best in report.best:
        helped = claim_above(best.differences[0].told_sign)
        yield finding(f"tuning helped at c_r={best.retrieval_cost:g}", helped, best.verdict)


def _is_cell(child: Run) -> bool:
    return child.data.tags.get(runs.KIND) == "cell"


def _cells(record: SweepRecord, report: StudyReport, results: Results) -> Iterator[Verdict]:
    """The cells of the test split follow from their rows as a sweep's do.

    Settings that were tuned retrieve other passages, so that only the references answer alike.
    """
    known = {name: report.spec[name] for name in ExperimentSpec.model_fields.keys() & report.spec}
    spec = build(ExperimentSpec, known)
    yield judged(
        "metrics of cells",
        [*wrong_metrics(record, spec.mu, results), *_wrong_curves(record, spec, results)],
        "recomputed from the question rows, equal to those on every run",
    )
    yield judged("calls of cells", wrong_calls(results), "they follow from the actions")
    yield check_trajectories(record, spec, results)
    references = [
        cell
        for best in report.best
        for cell in judged_cells(results, best.retrieval_cost, report.spec["strategy"])[1]
    ]
    yield check_consistency(results.model_copy(update={"cells": tuple(references)}))


def _wrong_curves(record: SweepRecord, spec: ExperimentSpec, results: Results) -> Iterator[str]:
    for cell in results.cells:
        child, n_asked = record.child_of(cell), len(cell.questions)
        if child is not None and OWNER in child.data.tags:
            steps = curve_steps(n_asked, max(spec.shard_size, SHARD_SIZE), n_asked)
            yield from (f"{cell.name} {text}" for text in wrong_curves(record, child, steps))


def _study(run: Run, storage_url: str, cache_dir: Path) -> optuna.Study:
    name = logged_params(run)["study"]
    values = {"storage": storage_url, "cache_dir": cache_dir}
    return storage.open_stored(build(StudySpec, values), name)


def _agreement(study: optuna.Study, tracking: Tracking, run_id: str) -> Verdict:
    problems = list(disagreements(study, tracking, run_id))
    n_trials = len(storage.in_states(study, *storage.TAKEN, TrialState.FAIL))
    fine = f"{n_trials} trials have the same state and values in both"
    return judged("MLflow and Optuna agree", problems, fine)


def _recorded(study: optuna.Study, report: StudyReport, tracking: Tracking, run: Run) -> Verdict:
    """The study's run, those of its trials and of the cells judged have all params and inputs.

    Those that name no process are of earlier versions, and are not compared.
    """
    if OWNER not in run.data.tags:
        return Verdict("params and inputs", True, "of an earlier version: not compared")
    digests = study.user_attrs[storage.DIGESTS]
    searched = json.loads(study.user_attrs[storage.SEARCH]).keys() & report.spec.keys()
    fields = {name: report.spec[name] for name in searched}
    tested = {**digests, "questions_digest": digests["test_questions_digest"]}
    problems = [f"the study {text}" for text in wrong_params({**fields, **digests}, run)]
    problems += [f"the study {text}" for of in (digests, tested) for text in wrong_inputs(of, run)]
    problems += _wrong_trials(study, report, tracking)
    for child in tracking.children(report.study_id):
        if _is_cell(child) and child.info.status == "FINISHED":
            wrong = (*_without_params(child), *wrong_inputs(tested, child))
            problems += [f"{child.info.run_name} {text}" for text in wrong]
    return judged("params and inputs", problems, "all that the search and its settings ask for")


def _wrong_trials(study: optuna.Study, report: StudyReport, tracking: Tracking) -> Iterator[str]:
    by_id = {run.info.run_id: run for run in trial_runs(tracking, report.study_id)}
    for trial in storage.in_states(study, *storage.DONE):
        run = by_id.get(storage.run_id_of(trial))
        if run is not None and OWNER in run.data.tags:
            settings = {"strategy": report.spec["strategy"], **settings_of(trial.user_attrs)}
            yield from (f"trial {trial.number} {text}" for text in wrong_params(settings, run))


def _without_params(cell: Run) -> Iterator[str]:
    if lacking := {"strategy", "retrieval_cost"} - logged_params(cell).keys():
        yield f"lacks {len(lacking)} of its params, such as {min(lacking)}"


def _counts(study: optuna.Study, report: StudyReport) -> Verdict:
    counted = {
        "complete": (report.n_complete, TrialState.COMPLETE),
        "pruned": (report.n_pruned, TrialState.PRUNED),
        "failed": (report.n_failed, TrialState.FAIL),
    }
    problems = [
        f"{n_reported} trials {name} in the report, {n_there} in the storage"
        for name, (n_reported, state) in counted.items()
        if (n_there := len(storage.in_states(study, state))) != n_reported
    ]
    n_open = len(storage.in_states(study, TrialState.RUNNING))
    if n_open:
        problems.append(f"{n_open} trials are running")
    return judged(
        "trials", problems, f"{report.n_complete + report.n_pruned} finished, none running"
    )


def _best(study: optuna.Study, report: StudyReport, tracking: Tracking, folder: Path) -> Verdict:
    """The best is the best, and its files say its settings."""
    problems = []
    complete = storage.in_states(study, TrialState.COMPLETE)
    if len(study.directions) == 1:
        [best] = report.best
        top = max(trial.value or 0.0 for trial in complete)
        if abs(best.tune.utility - top) > NEAR:
            problems.append(f"best tune utility {best.tune.utility}, largest of trials {top}")
    for best in report.best:
        trial = next(trial for trial in complete if trial.number == best.trial)
        if settings_of(trial.user_attrs) != dict(best.settings):
            problems.append(f"trial {best.trial} has other settings than the report")
        name = settings_file(best.retrieval_cost)
        path = tracking.download(report.study_id, name, folder)
        written = stored_object(path, report.study_id)
        if any(written.get(key) != value for key, value in best.settings.items()):
            problems.append(f"{name} has other settings than the report")
    return judged("best settings", problems, f"{len(report.best)} as the trials say")


def _judgement(report: StudyReport, results: Results) -> Verdict:
    """The test scores and their intervals follow from the outcomes of the test questions."""
    problems = []
    mu = float(report.spec["mu"])
    for best in report.best:
        tuned, references = judged_cells(results, best.retrieval_cost, report.spec["strategy"])
        own = utilities(tuned, mu)
        if abs(sum(own) / len(own) - best.test.utility) > NEAR:
            problems.append(f"c_r={best.retrieval_cost:g}: test utility is not that of its rows")
        for cell, difference in zip(references, best.differences, strict=True):
            recomputed = utility_difference(tuned, cell, mu)
            stored = (difference.mean, difference.low, difference.high)
            again = (recomputed.mean, recomputed.low, recomputed.high)
            is_off = any(abs(a - b) > NEAR for a, b in zip(stored, again, strict=True))
            if is_off or difference.sign not in (None, recomputed.sign):
                problems.append(f"c_r={best.retrieval_cost:g}: difference to {cell.strategy}")
    return judged("judged on the test split", problems, "scores and intervals computed again")
