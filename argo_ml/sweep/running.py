"""A sweep: every strategy at every retrieval cost, each cell one child run of the sweep's run."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from argo_ml.config import CellSpec, ExecutorFields, ExperimentSpec, SweepSpec, build
from argo_ml.devices import disk
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.reporting import store_report
from argo_ml.reporting.figures import redraw
from argo_ml.results.metrics import sweep_metrics
from argo_ml.results.records import Results
from argo_ml.sweep.answering_mode import resolve_answering
from argo_ml.sweep.cell_run import CellRun, cell_tags
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import ExperimentContext, LocalContext, prepare_cells
from argo_ml.sweep.estimate import SweepEstimate, estimate
from argo_ml.sweep.evaluating import evaluate_sweep, store_evaluation
from argo_ml.sweep.execution import RESULTS, execute, missing_shards, open_cell_runs, open_journal
from argo_ml.sweep.executors.opening import open_context
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.parent_run import (
    SPEC,
    find_resumed,
    load_record,
    pointing_at,
    recorded,
    store_spec,
)
from argo_ml.tracking import runs
from argo_ml.tracking.runs import TrackedRun, Tracking, connect

CommonSpec = TypeVar("CommonSpec", bound=ExperimentSpec)
logger = logging.getLogger(__name__)


def run_sweep(spec: SweepSpec, on_progress: OnProgress = ignore_progress) -> Results:
    """Run a sweep, or continue the one that ``spec.resume`` names.

    Raises:
        ArgoError: something the user can act on; the sweep's run has ended as FAILED with it.
    """
    check_strategies(spec.strategies, spec)
    tracking = connect(spec.tracking_uri, spec.experiment)
    if spec.resume:
        return _resume(spec, tracking, on_progress)
    name = f"sweep {spec.mode} {spec.difficulty} {spec.dataset} {Path(spec.model).name}"
    run = tracking.adopt_or_create(name, {runs.KIND: "sweep"})
    return sweep_into(run, spec, tracking, on_progress)


def sweep_into(
    run: TrackedRun, spec: SweepSpec, tracking: Tracking, on_progress: OnProgress = ignore_progress
) -> Results:
    """Run a sweep as ``run``, which was made for it."""
    with run.recording_failure(), open_journal(spec, run.run_id) as journal:
        run.log(tags={runs.NOTE: _describe(spec)})
        store_spec(run, spec)
        _warn_of_short_disk(spec)
        with open_context(spec, on_progress) as context:
            spec = _settled(spec, context, run)
            _log_inputs(run, spec, context)
            return _run_cells(spec, context, tracking, run, journal, on_progress)


def run_cell(spec: CellSpec, on_progress: OnProgress = ignore_progress) -> Results:
    """Run one cell as a run of its own, without a sweep."""
    check_strategies([spec.strategy], spec)
    tracking = connect(spec.tracking_uri, spec.experiment)
    name = f"{spec.strategy} c_r={spec.retrieval_cost:g}"
    run = tracking.adopt_or_create(name, {runs.KIND: "cell"})
    with run.recording_failure(), open_journal(spec, run.run_id) as journal:
        store_spec(run, spec)
        context = LocalContext.open(spec, on_progress)
        spec = _settled(spec, context, run)
        [cell] = prepare_cells([spec], context)
        run.log(tags=cell_tags(cell))
        cell_run = CellRun(cell, run)
        cell_run.start(context.digests, context.inputs(spec))
        results = execute(spec, context, run, [cell_run], journal, on_progress)
        journal.remove()
        return results


def load_results(tracking: Tracking, run_id: str) -> Results:
    """The results of a finished sweep or cell."""
    return load_record(tracking, run_id, RESULTS, Results)


def _log_inputs(run: TrackedRun, spec: SweepSpec, context: ExperimentContext) -> None:
    run.log(params={**recorded(spec), **context.digests})
    run.log_inputs(context.inputs(spec))


def _settled(spec: CommonSpec, context: ExperimentContext, run: TrackedRun) -> CommonSpec:
    """The spec that the model can carry out; where it is another one, it is stored instead."""
    settled = resolve_answering(spec, context.can_score)
    if settled != spec:
        store_spec(run, settled)
    return settled


def _warn_of_short_disk(spec: SweepSpec) -> None:
    short = disk.shortage(spec.mode, spec.cache_path, disk.free_bytes(spec.cache_path))
    if short and spec.mode != "small":
        logger.warning("%s; free some space, or choose another cache_dir", short)


def _run_cells(
    spec: SweepSpec,
    context: ExperimentContext,
    tracking: Tracking,
    run: TrackedRun,
    journal: Journal,
    on_progress: OnProgress,
) -> Results:
    cells = prepare_cells(spec.cells(), context)
    cell_runs = open_cell_runs(cells, spec, context, tracking, run)
    time_estimate = _tell_estimate(spec, context, cells, journal, run)
    with _telling_how_to_resume(run.run_id):
        results = execute(
            spec, context, run, cell_runs, journal, on_progress, time_estimate=time_estimate
        )
    with tempfile.TemporaryDirectory() as folder:
        redraw(results, Path(folder) / "figures")
        run.log_folder(Path(folder))
    run.log(metrics=sweep_metrics(results), step=len(context.questions.questions))
    evaluation = evaluate_sweep(spec, results, cells, context.calibration)
    store_evaluation(evaluation, run, cell_runs)
    store_report(run, evaluation, results)
    run.end()
    journal.remove()
    return results


def _tell_estimate(
    spec: SweepSpec,
    context: ExperimentContext,
    cells: Sequence[Cell],
    journal: Journal,
    run: TrackedRun,
) -> SweepEstimate | None:
    """Log what is ahead; workers elsewhere have their own models, which are not asked for it."""
    left = [
        question for shard in missing_shards(spec, context, journal) for question in shard.questions
    ]
    if not isinstance(context, LocalContext) or not left:
        return None
    found = estimate(spec, left, cells, context, run.run_id)
    for line in found.lines:
        logger.info(line)
    run.log(metrics=found.metrics)
    return found


@contextlib.contextmanager
def _telling_how_to_resume(sweep_id: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        logger.warning("unfinished; continue it with: argo-ml sweep --resume %s", sweep_id)
        raise


def _resume(spec: SweepSpec, tracking: Tracking, on_progress: OnProgress) -> Results:
    stored, home = find_resumed(tracking, spec.resume, "sweep")
    with pointing_at(spec.resume, "sweep", tracking):
        if stored.info.status == "FINISHED":
            logger.info("sweep %s is finished; its results are shown as they are", spec.resume)
            return load_results(home, spec.resume)
        run = TrackedRun(tracking.client, spec.resume)
        full_spec = _stored_spec(spec, home)
        check_strategies(full_spec.strategies, full_spec)
        with open_journal(full_spec, spec.resume) as journal, run.recording_failure():
            run.reopen()
            _warn_of_short_disk(full_spec)
            with open_context(full_spec, on_progress) as context:
                _check_unchanged(spec.resume, stored.data.params, context.digests)
                full_spec = _settled(full_spec, context, run)
                # It may have been killed before it came to this; what is there is left alone.
                _log_inputs(run, full_spec, context)
                return _run_cells(full_spec, context, home, run, journal, on_progress)


def _stored_spec(spec: SweepSpec, home: Tracking) -> SweepSpec:
    """The sweep's own spec; where to track, cache and find servers or workers is the command's."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = home.download(spec.resume, SPEC, Path(folder))
        except TrackingError as error:
            raise TrackingError(
                f"resume={spec.resume}: it ended before it stored its parameters, so nothing is "
                f"lost; start it again without resume ({error})"
            ) from None
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return build(
        SweepSpec,
        {
            **values,
            "tracking_uri": spec.tracking_uri,
            "cache_dir": spec.cache_dir,
            "server_urls": spec.server_urls or values.get("server_urls", ()),
            **_given_executor(spec),
            "resume": spec.resume,
        },
    )


def _given_executor(spec: SweepSpec) -> dict[str, object]:
    """What the command says of executors, if anything; else the sweep's own goes on."""
    names = ExecutorFields.model_fields
    given = not spec.model_fields_set.isdisjoint(names)
    return {name: getattr(spec, name) for name in names} if given else {}


def _check_unchanged(sweep_id: str, params: Mapping[str, str], digests: Mapping[str, str]) -> None:
    for name, digest in digests.items():
        before = params.get(name, digest)
        if before != digest:
            raise ConfigError(
                f"resume={sweep_id}: {name} was {before} and is {digest} now; "
                "start a new sweep instead"
            )


def _describe(spec: SweepSpec) -> str:
    return (
        f"{len(spec.strategies)} strategies x {len(spec.prices)} retrieval costs on "
        f"{spec.question_limit} {spec.difficulty} {spec.dataset} questions with {spec.model}."
    )
