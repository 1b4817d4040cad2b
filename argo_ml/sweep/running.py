"""A sweep: every strategy at every retrieval cost, each cell one child run of the sweep's run."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from argo_ml.config import CellSpec, SweepSpec
from argo_ml.datasets import check_dataset
from argo_ml.devices import disk
from argo_ml.escaping import markdown
from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.stopping import stopping_rule
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.results.artifacts import RESULTS, cell_name
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.naming import asked_questions
from argo_ml.results.records import Results
from argo_ml.results.row_files import with_rows
from argo_ml.sweep.accounting import (
    account_for_dead,
    accounting,
    has_whole_ledger,
    log_payment,
)
from argo_ml.sweep.cell_run import CellRun, cell_tags, check_same_cells, open_cell_runs
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import ExperimentContext, LocalContext, prepare_cells
from argo_ml.sweep.estimate import SweepEstimate, estimate
from argo_ml.sweep.executors.opening import open_context
from argo_ml.sweep.journal import Journal, open_journal
from argo_ml.sweep.parent_run import (
    ParentRun,
    find_resumed,
    load_record,
    pointing_at,
    store_spec,
    telling_how_to_go_on,
)
from argo_ml.sweep.rebuilding import load_evaluated
from argo_ml.sweep.resumed_spec import command_tag, resolve_latest, resumed_spec
from argo_ml.sweep.stages import (
    check_context_unchanged,
    check_unchanged,
    conclude_sweep,
    log_inputs,
    missing_shards,
    run_cells,
    store_resolved,
)
from argo_ml.tracking import runs
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.reconciling import open_experiment
from argo_ml.tracking.runs import TrackedRun, Tracking, store_of_runs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepRun:
    """A sweep's own run, open, with its journal; ``params`` are those of an interrupted one.

    ``parent`` is what it is a part of, whose command goes on with it.
    """

    run: TrackedRun
    tracking: Tracking
    spec: SweepSpec
    journal: Journal
    params: Mapping[str, str] = field(default_factory=dict)
    parent: ParentRun | None = None


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """What a sweep came to; ``evaluation`` is None where it had ended before."""

    results: Results
    evaluation: Evaluation | None = None


def run_sweep(
    spec: SweepSpec,
    on_progress: OnProgress = ignore_progress,
    parent: ParentRun | None = None,
) -> Results:
    """Run a sweep, below ``parent`` where one is given, or continue that of ``spec.resume``.

    Raises:
        ArgoError: something the user can act on; once the sweep has begun its run has ended as
            FAILED with it.
    """
    return _run(spec, on_progress, parent).results


def run_evaluated_sweep(
    spec: SweepSpec, on_progress: OnProgress = ignore_progress
) -> tuple[Results, Evaluation]:
    """The results of a sweep as of `run_sweep`, and their evaluation."""
    outcome = _run(spec, on_progress)
    if outcome.evaluation is None:
        return load_evaluated(outcome.results.sweep_id, spec.tracking_uri)
    return outcome.results, outcome.evaluation


def _run(spec: SweepSpec, on_progress: OnProgress, parent: ParentRun | None = None) -> SweepOutcome:
    spec = resolve_latest(spec, "sweep")
    check_dataset(spec.dataset, spec.given_documents)
    check_strategies(spec.strategies, spec)
    stopping_rule(spec)
    if spec.resume:
        return _continue(spec, on_progress, parent)
    tracking = parent.tracking if parent else open_experiment(spec.tracking_uri, spec.experiment)
    _warn_of_short_disk(spec)
    with open_context(spec, on_progress) as context:
        cells = prepare_cells(context.spec.cells(), context)
        with _begun(spec, tracking, parent) as sweep:
            return _carry_out(sweep, context, cells, on_progress)


def _continue(spec: SweepSpec, on_progress: OnProgress, parent: ParentRun | None) -> SweepOutcome:
    with _resumed(spec, parent) as sweep:
        if isinstance(sweep, Results):
            return SweepOutcome(sweep)
        begun_with = sweep.params.get("questions_digest", "")
        with open_context(sweep.spec, on_progress, begun_with) as context:
            check_unchanged(sweep.run.run_id, sweep.params, context.digests)
            check_context_unchanged(sweep.run, context.context_tokens)
            cells = prepare_cells(context.spec.cells(), context)
            check_same_cells(sweep.tracking, sweep.run.run_id, cells)
            return _carry_out(sweep, context, cells, on_progress)


def _carry_out(
    sweep: SweepRun,
    context: ExperimentContext[SweepSpec],
    cells: Sequence[Cell],
    on_progress: OnProgress,
) -> SweepOutcome:
    run, journal = sweep.run, sweep.journal
    rule = stopping_rule(context.spec)
    log_inputs(store_resolved(sweep.spec, context, run), context, run)
    cell_runs = open_cell_runs(cells, context, sweep.tracking, run)
    account_for_dead(sweep.tracking, context.spec)
    is_known = has_whole_ledger(run, context.spec, context.executes_here)
    with accounting(run, context.spec), _telling_how_to_go_on(sweep):
        time_estimate = _tell_estimate(context, cells, journal, run)
        results = run_cells(
            context, run, cell_runs, journal, on_progress, time_estimate=time_estimate, rule=rule
        )
    log_payment(run, context.spec, results, is_known)
    evaluation = conclude_sweep(context, run, cell_runs, results)
    journal.remove()
    return SweepOutcome(results, evaluation)


def run_cell(spec: CellSpec, on_progress: OnProgress = ignore_progress) -> Results:
    """Run one cell as a run of its own, without a sweep."""
    check_dataset(spec.dataset, spec.given_documents)
    check_strategies([spec.strategy], spec)
    tracking = open_experiment(spec.tracking_uri, spec.experiment)
    context = LocalContext.open(spec, on_progress)
    [cell] = prepare_cells([context.spec], context)
    name = cell_name(spec.strategy, spec.retrieval_cost)
    run = tracking.adopt_or_create(name, {runs.KIND: "cell"})
    with run.recording_failure(), _passing_journal(spec, run) as journal:
        store_spec(run, spec)
        store_resolved(spec, context, run)
        run.log(tags=cell_tags(cell))
        n_shards = len(missing_shards(context, journal, [cell]))
        cell_run = CellRun(cell, run, n_shards, alone=True)
        cell_run.start(context.digests, context.inputs)
        with accounting(run, context.spec):
            results = run_cells(context, run, [cell_run], journal, on_progress)
        run.end()
        return results


@contextlib.contextmanager
def _passing_journal(spec: CellSpec, run: TrackedRun) -> Iterator[Journal]:
    """The journal of a run that nobody goes on with: nothing of it stays."""
    with open_journal(spec, run.run_id) as journal:
        try:
            yield journal
        finally:
            journal.remove()


def load_results(tracking: Tracking, run_id: str) -> Results:
    """The results of a finished sweep or cell."""
    folder = KeptFolder()

    def fetched(path: str) -> Path:
        return tracking.download(run_id, path, folder.path)

    return with_rows(load_record(tracking, run_id, RESULTS, Results), fetched, folder)


@contextlib.contextmanager
def _begun(spec: SweepSpec, tracking: Tracking, parent: ParentRun | None) -> Iterator[SweepRun]:
    """A new sweep's run; it fails with an error of the block."""
    run = _create_run(spec, tracking, parent)
    with run.recording_failure(), open_journal(spec, run.run_id) as journal:
        run.log(tags={runs.NOTE: markdown(_describe(spec))})
        store_spec(run, spec)
        yield SweepRun(run, tracking, spec, journal, parent=parent)


def _create_run(spec: SweepSpec, tracking: Tracking, parent: ParentRun | None) -> TrackedRun:
    model = Path(spec.model).name
    tags = {runs.KIND: "sweep"}
    if parent is not None:
        return parent.create_child(f"sweep {model}", tags)
    asked = asked_questions(spec.questions, spec.difficulty, spec.dataset)
    name = f"sweep {spec.mode} {asked} {model}"
    return tracking.adopt_or_create(name, {**tags, **command_tag(spec)})


@contextlib.contextmanager
def _resumed(spec: SweepSpec, parent: ParentRun | None) -> Iterator[SweepRun | Results]:
    """The run of an interrupted sweep, reopened; the results of a finished one."""
    tracking = store_of_runs(spec.tracking_uri)
    stored, home = find_resumed(tracking, spec.resume, "sweep")
    spec = spec.model_copy(update={"resume": stored.info.run_id})
    with pointing_at(spec.resume, "sweep", tracking):
        full_spec = resumed_spec(spec, home)
        if stored.info.status == "FINISHED":
            logger.info("sweep %s is finished; its results are shown as they are", spec.resume)
            yield load_results(home, spec.resume)
            return
        run = TrackedRun(tracking.client, spec.resume, stored)
        check_strategies(full_spec.strategies, full_spec)
        with open_journal(full_spec, spec.resume) as journal, run.recording_failure():
            run.reopen()
            _warn_of_short_disk(full_spec)
            yield SweepRun(run, home, full_spec, journal, logged_params(stored), parent)


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
    """Log what is ahead, and where there is no room for it.

    Workers elsewhere have their own models, which are not asked for it.
    """
    missing = missing_shards(context, journal, cells)
    left = [question for shard in missing for question in shard.questions]
    if not isinstance(context, LocalContext) or not left:
        return None
    ahead = estimate(context, left, cells, run.run_id)
    for line in ahead.lines:
        logger.info(line)
    temporary = Path(tempfile.gettempdir())
    places = filter(None, (context.spec.cache_path, temporary, run.artifact_folder))
    for short in disk.shortages(ahead.disk_bytes, places):
        logger.warning("%s; free some space there", short)
    run.log(metrics=ahead.metrics, once=True)
    return ahead


def _telling_how_to_go_on(sweep: SweepRun) -> AbstractContextManager[None]:
    """Nothing is said of a part: its whole says it."""
    if sweep.parent:
        return contextlib.nullcontext()
    return telling_how_to_go_on("sweep", sweep.run, sweep.tracking)


def _describe(spec: SweepSpec) -> str:
    """What is known before the questions are; the conclusion takes its place."""
    return (
        f"{len(spec.strategies)} strategies x {len(spec.prices)} retrieval costs on up to "
        f"{spec.question_limit} questions of {spec.dataset} with {spec.model}."
    )
