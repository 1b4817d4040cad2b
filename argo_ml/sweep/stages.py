"""How a sweep goes, in three stages; `run_sweep` takes its run through them one after the other.

1. `open_context`: questions, corpus, model, cache and calibration, with the spec as resolved. The
   sweep's run begins after it, so that there is none where nothing could be run.
2. `run_cells`: its executor hands every shard's episodes to `Engine.run`; results go to the
   journal, in the order of shards to the cells, and to MLflow while other shards run.
3. `conclude_sweep`: figures, metrics, evaluation and report of all cells on their runs.

Other jobs take the stages that they need: a calibration and one answer the first, a single cell
and the judging of a study's best settings the first two, a comparison whole sweeps.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from argo_ml.config import ContextSpec, ExperimentSpec, Spec, SweepSpec
from argo_ml.datasets.answers import accuracy_floors
from argo_ml.devices.observing import observing_devices
from argo_ml.engine.shards import Shard, make_shards
from argo_ml.engine.stages import LOG, StageTimes
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.stopping import StoppingRule
from argo_ml.interruption import checkpoint
from argo_ml.models.base import TokenCounts
from argo_ml.models.opening import is_served
from argo_ml.progress import QUESTIONS, OnProgress
from argo_ml.reporting import store_report
from argo_ml.results.concerns import unfinished_replies
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.metrics import by_price, sweep_metrics
from argo_ml.results.records import CellResult, Results, Stopping
from argo_ml.results.unanswered import UnansweredQuestions
from argo_ml.sweep.cell_run import CellRun
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import EpisodeSpec, ExperimentContext, resolved_as
from argo_ml.sweep.evaluating import description, shown_figures, store_evaluation
from argo_ml.sweep.executors import Executor, FinishedShard
from argo_ml.sweep.executors.base import OnProgress as OnEpisodes
from argo_ml.sweep.journal import Journal, explaining_folder
from argo_ml.sweep.kept_conclusions import concluded
from argo_ml.sweep.parent_run import ANEW, recorded, store_spec
from argo_ml.sweep.progress_log import ShardLog, TimeEstimate, episode_progress
from argo_ml.sweep.stored_files import store_results, stored_examples, write_records
from argo_ml.sweep.traces import trace_sweep
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.runs import BATCH_TOKENS, CONTEXT_TOKENS, TrackedRun
from argo_ml.tracking.system import system_metrics


def store_resolved(
    asked: EpisodeSpec, context: ExperimentContext[ContextSpec], run: TrackedRun
) -> EpisodeSpec:
    """The spec as the model can carry it out, stored in the place of one that it cannot."""
    resolved = resolved_as(asked, context.spec)
    if resolved != asked:
        store_spec(run, resolved)
    return resolved


def log_inputs(spec: Spec, context: ExperimentContext[ContextSpec], run: TrackedRun) -> None:
    """A run may have been killed before it came to this; what is there is left alone."""
    n_tokens = context.context_tokens
    is_new = n_tokens and CONTEXT_TOKENS not in run.tags
    tags = {CONTEXT_TOKENS: str(n_tokens)} if is_new else {}
    run.log(params=spec_params({**recorded(spec), **context.digests}), tags=tags)
    run.log_inputs(context.inputs)


def run_cells(
    context: ExperimentContext[ExperimentSpec],
    parent_run: TrackedRun,
    cell_runs: Sequence[CellRun],
    journal: Journal,
    on_progress: OnProgress,
    times: StageTimes | None = None,
    time_estimate: TimeEstimate | None = None,
    rule: StoppingRule | None = None,
) -> Results:
    """Run what is not done yet, end every cell's run, and store the results on ``parent_run``.

    After an error the unfinished cells end with their parent; finished shards stay in the journal.
    ``times`` is what the parent has spent already, where it has done more than this,
    ``time_estimate`` what the rest was estimated to take, and ``rule`` says whether the shards done
    are enough.
    """
    times = times or StageTimes()
    tokens_before = context.tokens
    missing = missing_shards(context, journal, [run.cell for run in cell_runs])
    n_left = sum(len(shard.questions) for shard in missing) * len(cell_runs)
    n_questions = len(context.questions.questions)
    n_episodes = n_questions * len(cell_runs)
    on_episodes = episode_progress(on_progress, n_left, n_episodes, times, time_estimate)
    unanswered = UnansweredQuestions(context.spec.max_unanswered, n_questions)
    executor = context.executor([run.cell for run in cell_runs], parent_run.run_id, times)
    with system_metrics(parent_run):
        with (
            observing_devices(context.spec, times.seconds, is_served(context.spec)) as observed,
            keeping_events(context, parent_run),
            ShardLog(journal, cell_runs, times, rule) as shard_log,
        ):
            if not missing:
                on_episodes(0)
            for finished in _until(shard_log, executor, missing, on_episodes):
                shard_log.add(finished)
                n_whole = shard_log.n_shards * context.spec.shard_size
                on_progress(QUESTIONS, min(n_whole, n_questions), n_questions)
                for rows in finished.record.results.values():
                    unanswered.add_rows(rows)
                unanswered.check()
        usage, tokens = observed.usage().metrics, context.tokens - tokens_before
        for concern in observed.concerns(context.executes_here and tokens.computed > 0):
            parent_run.warn(concern)
        with times.timing(LOG):
            stopping = rule.record(n_questions) if rule else None
            results = _finish(context, parent_run, cell_runs, journal, usage, stopping)
            for concern in unfinished_replies(results, context.spec.thinking_tokens):
                parent_run.warn(concern)
            if unanswered.concern:
                parent_run.warn(unanswered.concern)
    _log_spent(parent_run, times, usage, tokens)
    return results


def conclude_sweep(
    context: ExperimentContext[SweepSpec],
    run: TrackedRun,
    cell_runs: Sequence[CellRun],
    results: Results,
) -> Evaluation:
    """Draw, evaluate and report all cells together, and end the sweep's run."""
    run.log(metrics=sweep_metrics(results), curves=by_price(results))
    cells = [cell_run.cell for cell_run in cell_runs]
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder)
        evaluation = concluded(context.spec, results, cells, context.calibration, drawn)
        store_evaluation(evaluation, run, cell_runs)
        store_report(run, evaluation, results, stored_examples(run), drawn=drawn)
    run.describe(description(evaluation, results), shown_figures(results.sweep_id))
    run.describe_experiment(evaluation.answer)
    run.end()
    return evaluation


def missing_shards(
    context: ExperimentContext[ExperimentSpec], journal: Journal, cells: Sequence[Cell]
) -> list[Shard]:
    """The shards that the journal holds no usable record of."""
    shards = make_shards(context.questions.questions, context.spec.shard_size)
    journal.keep_usable(shards, [cell.id for cell in cells])
    return [shard for shard in shards if shard.index not in journal]


def check_unchanged(sweep_id: str, params: Mapping[str, str], digests: Mapping[str, str]) -> None:
    """Raises `ConfigError` where the run had digests of other contents before its interruption."""
    for name, digest in digests.items():
        before = params.get(name, digest)
        if before != digest:
            raise ConfigError(f"resume={sweep_id}: {name} was {before} and is {digest} now; {ANEW}")


def check_context_unchanged(run: TrackedRun, n_tokens: int) -> None:
    """Raises `ConfigError` where the server takes shorter prompts than before; 0 is unknown."""
    before = run.tags.get(CONTEXT_TOKENS, "")
    if n_tokens and before.isdecimal() and n_tokens < int(before):
        raise ConfigError(
            f"resume={run.run_id}: the server took prompts and answers of {before} tokens and "
            f"takes {n_tokens} now, so that questions would be left unanswered that were not; "
            f"start it with {before}, or {ANEW}"
        )


@contextlib.contextmanager
def keeping_events(
    context: ExperimentContext[ContextSpec], parent_run: TrackedRun
) -> Iterator[None]:
    """Keep on the run how large batches were, and what was done when memory ran out, also where
    it did not help."""
    try:
        yield
    except BaseException as error:
        if context.events or context.batch_tokens:
            with contextlib.suppress(TrackingError), parent_run.last_words(str(error)):
                _keep_events(context, parent_run)
        raise
    with contextlib.suppress(TrackingError):
        _keep_events(context, parent_run)


def _keep_events(context: ExperimentContext[ContextSpec], parent_run: TrackedRun) -> None:
    for event in context.events:
        parent_run.keep_warning(event)
    if context.batch_tokens:
        parent_run.log(tags={BATCH_TOKENS: str(context.batch_tokens)})


def _finish(
    context: ExperimentContext[ContextSpec],
    parent_run: TrackedRun,
    cell_runs: Sequence[CellRun],
    journal: Journal,
    usage: Mapping[str, float],
    stopping: Stopping | None,
) -> Results:
    """End the cells' runs with what they keep, and store the results of all on the parent's."""
    n_rows = len(context.questions.questions) * len(cell_runs)
    explaining = explaining_folder(
        Path(tempfile.gettempdir()),
        "the results cannot be written there",
        "set TMPDIR to another folder",
    )
    with explaining, KeptFolder() as folder:
        rows = write_records(journal, [cell_run.cell for cell_run in cell_runs], folder, n_rows)
        cells = [run.result(rows[run.cell.id]) for run in cell_runs]
        results = _collect(context, parent_run, cells, stopping)
        for cell_run, result in zip(cell_runs, results.cells, strict=True):
            cell_run.finish(result, folder.path / cell_run.cell.id, usage)
        store_results(parent_run, results, folder.path)
        if isinstance(context.spec, SweepSpec) and context.spec.traces:
            trace_sweep(parent_run, results, folder.path, context.spec.traces)
        for cell_run in cell_runs:
            shutil.rmtree(folder.path / cell_run.cell.id)
    return results


def _collect(
    context: ExperimentContext[ContextSpec],
    parent_run: TrackedRun,
    cells: Sequence[CellResult],
    stopping: Stopping | None,
) -> Results:
    asked = context.questions.questions[: stopping.n_asked if stopping else None]
    return Results(
        sweep_id=parent_run.run_id,
        spec=recorded(context.spec),
        digests=context.digests,
        floors=accuracy_floors(asked),
        strategies=tuple(dict.fromkeys(cell.strategy for cell in cells)),
        prices=tuple(sorted({cell.retrieval_cost for cell in cells})),
        cells=tuple(cells),
        stopping=stopping,
    )


def _until(
    shard_log: ShardLog, executor: Executor, shards: Sequence[Shard], on_episodes: OnEpisodes
) -> Iterator[FinishedShard]:
    """Shards as they finish, until those done are enough."""
    if shard_log.is_decided:
        return
    for finished in executor.run(shards, on_episodes):
        yield finished
        if shard_log.is_decided:
            checkpoint()
            return


def _log_spent(
    parent_run: TrackedRun, times: StageTimes, usage: Mapping[str, float], tokens: TokenCounts
) -> None:
    seconds = {f"seconds_{stage}": value for stage, value in times.seconds().items()}
    computed = {"tokens_computed": tokens.computed, "padding_share": tokens.wasted_share}
    metrics = {**seconds, **usage, **(computed if tokens.computed else {})}
    parent_run.log(metrics=metrics, once=True)
