"""A sweep: every strategy at every retrieval cost, each cell one child run of the sweep's run."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from argo_ml.config import CellSpec, ExecutorFields, SweepSpec, build
from argo_ml.datasets import check_dataset
from argo_ml.devices import disk
from argo_ml.errors import TrackingError
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.results.artifacts import RESULTS, SPEC, cell_name
from argo_ml.results.naming import asked_questions
from argo_ml.results.records import Results
from argo_ml.sweep.cell_run import CellRun, cell_tags, open_cell_runs
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import ExperimentContext, LocalContext, prepare_cells
from argo_ml.sweep.estimate import SweepEstimate, estimate
from argo_ml.sweep.journal import Journal, open_journal
from argo_ml.sweep.parent_run import find_resumed, load_record, pointing_at, store_spec
from argo_ml.sweep.stages import (
    conclude_sweep,
    missing_shards,
    open_experiment,
    run_cells,
    store_resolved,
)
from argo_ml.tracking import runs
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import TrackedRun, Tracking, connect

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A run that was made for a sweep beside others, and the experiment that it is in."""

    run: TrackedRun
    tracking: Tracking


@dataclass(frozen=True, slots=True)
class SweepRun:
    """A sweep's own run, open, with its journal; ``params`` are those of an interrupted one."""

    run: TrackedRun
    tracking: Tracking
    spec: SweepSpec
    journal: Journal
    params: Mapping[str, str] = field(default_factory=dict)


def run_sweep(
    spec: SweepSpec, on_progress: OnProgress = ignore_progress, child: ChildRun | None = None
) -> Results:
    """Run a sweep, as ``child`` where that is given, or continue the one of ``spec.resume``.

    Raises:
        ArgoError: something the user can act on; the sweep's run has ended as FAILED with it.
    """
    check_dataset(spec.dataset, spec.documents)
    check_strategies(spec.strategies, spec)
    with _resumed(spec) if spec.resume else _begun(spec, child) as sweep:
        if isinstance(sweep, Results):
            return sweep
        run, journal = sweep.run, sweep.journal
        with open_experiment(sweep.spec, run, on_progress, sweep.params) as context:
            cells = prepare_cells(context.spec.cells(), context)
            cell_runs = open_cell_runs(cells, context, sweep.tracking, run)
            time_estimate = _tell_estimate(context, cells, journal, run)
            with _telling_how_to_resume(run.run_id):
                results = run_cells(
                    context, run, cell_runs, journal, on_progress, time_estimate=time_estimate
                )
            conclude_sweep(context, run, cell_runs, results)
            journal.remove()
            return results


def run_cell(spec: CellSpec, on_progress: OnProgress = ignore_progress) -> Results:
    """Run one cell as a run of its own, without a sweep."""
    check_dataset(spec.dataset, spec.documents)
    check_strategies([spec.strategy], spec)
    tracking = connect(spec.tracking_uri, spec.experiment)
    name = cell_name(spec.strategy, spec.retrieval_cost)
    run = tracking.adopt_or_create(name, {runs.KIND: "cell"})
    with run.recording_failure(), open_journal(spec, run.run_id) as journal:
        store_spec(run, spec)
        context = LocalContext.open(spec, on_progress)
        store_resolved(spec, context, run)
        [cell] = prepare_cells([context.spec], context)
        run.log(tags=cell_tags(cell))
        cell_run = CellRun(cell, run, len(missing_shards(context, journal, [cell])))
        cell_run.start(context.digests, context.inputs)
        results = run_cells(context, run, [cell_run], journal, on_progress)
        journal.remove()
        return results


def load_results(tracking: Tracking, run_id: str) -> Results:
    """The results of a finished sweep or cell."""
    return load_record(tracking, run_id, RESULTS, Results)


@contextlib.contextmanager
def _begun(spec: SweepSpec, child: ChildRun | None) -> Iterator[SweepRun]:
    """A new sweep's run; it fails with an error of the block."""
    if child is None:
        tracking = connect(spec.tracking_uri, spec.experiment)
        asked = asked_questions(spec.questions, spec.difficulty, spec.dataset)
        name = f"sweep {spec.mode} {asked} {Path(spec.model).name}"
        child = ChildRun(tracking.adopt_or_create(name, {runs.KIND: "sweep"}), tracking)
    run = child.run
    with run.recording_failure(), open_journal(spec, run.run_id) as journal:
        run.log(tags={runs.NOTE: _describe(spec)})
        store_spec(run, spec)
        _warn_of_short_disk(spec)
        yield SweepRun(run, child.tracking, spec, journal)


@contextlib.contextmanager
def _resumed(spec: SweepSpec) -> Iterator[SweepRun | Results]:
    """The run of an interrupted sweep, reopened; the results of a finished one."""
    tracking = connect(spec.tracking_uri, spec.experiment)
    stored, home = find_resumed(tracking, spec.resume, "sweep")
    with pointing_at(spec.resume, "sweep", tracking):
        if stored.info.status == "FINISHED":
            logger.info("sweep %s is finished; its results are shown as they are", spec.resume)
            yield load_results(home, spec.resume)
            return
        run = TrackedRun(tracking.client, spec.resume)
        full_spec = _stored_spec(spec, home)
        check_strategies(full_spec.strategies, full_spec)
        with open_journal(full_spec, spec.resume) as journal, run.recording_failure():
            run.reopen()
            _warn_of_short_disk(full_spec)
            yield SweepRun(run, home, full_spec, journal, logged_params(stored))


def _warn_of_short_disk(spec: SweepSpec) -> None:
    short = disk.shortage(spec.mode, spec.cache_path, disk.free_bytes(spec.cache_path))
    if short and spec.mode != "small":
        logger.warning("%s; free some space, or choose another cache_dir", short)


def _tell_estimate(
    context: ExperimentContext[SweepSpec],
    cells: Sequence[Cell],
    journal: Journal,
    run: TrackedRun,
) -> SweepEstimate | None:
    """Log what is ahead; workers elsewhere have their own models, which are not asked for it."""
    missing = missing_shards(context, journal, cells)
    left = [question for shard in missing for question in shard.questions]
    if not isinstance(context, LocalContext) or not left:
        return None
    ahead = estimate(context, left, cells, run.run_id)
    for line in ahead.lines:
        logger.info(line)
    run.log(metrics=ahead.metrics)
    return ahead


@contextlib.contextmanager
def _telling_how_to_resume(sweep_id: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        logger.warning("unfinished; continue it with: argo-ml sweep --resume %s", sweep_id)
        raise


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
            **_given_limit(spec),
            "resume": spec.resume,
        },
    )


def _given_executor(spec: SweepSpec) -> dict[str, object]:
    """What the command says of executors, if anything; else the sweep's own goes on."""
    names = ExecutorFields.model_fields
    given = not spec.model_fields_set.isdisjoint(names)
    return {name: getattr(spec, name) for name in names} if given else {}


def _given_limit(spec: SweepSpec) -> dict[str, object]:
    """How many questions may go unanswered, where the command says so."""
    given = "max_unanswered" in spec.model_fields_set
    return {"max_unanswered": spec.max_unanswered} if given else {}


def _describe(spec: SweepSpec) -> str:
    """What is known before the questions are; the conclusion takes its place."""
    return (
        f"{len(spec.strategies)} strategies x {len(spec.prices)} retrieval costs on up to "
        f"{spec.question_limit} questions of {spec.dataset} with {spec.model}."
    )
