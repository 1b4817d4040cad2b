"""Runs cells shard by shard and stores what they found; a sweep and a single cell share it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from argo_ml.config import CacheFields, ExperimentSpec
from argo_ml.datasets.answers import accuracy_floors
from argo_ml.devices.observing import observing_devices
from argo_ml.engine.shards import Shard, make_shards
from argo_ml.engine.stages import LOG, StageTimes
from argo_ml.errors import TrackingError
from argo_ml.progress import EPISODES, MODEL_SECONDS, OnProgress
from argo_ml.results.outcomes_file import FILE as OUTCOMES
from argo_ml.results.outcomes_file import sweep_lines, write_lines
from argo_ml.results.records import Results
from argo_ml.sweep.cell_run import TRAJECTORIES, CellRun, cell_tags
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import ExperimentContext
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.merging import ShardMerger
from argo_ml.sweep.parent_run import recorded
from argo_ml.tracking import runs
from argo_ml.tracking.runs import TrackedRun, Tracking
from argo_ml.tracking.system import system_metrics
from argo_ml.types import Component

RESULTS = "results.json"
PASSAGES = "passages.jsonl"
OWNER = "owner"


def execute(
    spec: ExperimentSpec,
    context: ExperimentContext,
    parent_run: TrackedRun,
    cell_runs: Sequence[CellRun],
    journal: Journal,
    on_progress: OnProgress,
    times: StageTimes | None = None,
    time_estimate: TimeEstimate | None = None,
) -> Results:
    """Run what is not done yet, end every cell's run, and store the results on ``parent_run``.

    After an error the unfinished cells end as FAILED with it; finished shards stay in the journal.
    ``times`` is what the owner has spent already, where it has done more than this, and
    ``time_estimate`` what the rest was estimated to take.
    """
    times = times or StageTimes()
    tokens_before = context.tokens
    with (
        _failing_with(cell_runs),
        system_metrics(parent_run),
        tempfile.TemporaryDirectory() as temporary,
    ):
        with (
            observing_devices(spec, times.seconds) as observed,
            _keeping_events(context, parent_run),
        ):
            on_episodes = (
                _reporting_time(on_progress, times, time_estimate) if time_estimate else on_progress
            )
            _run_shards(spec, context, parent_run, cell_runs, journal, on_episodes, times)
        usage = observed.usage().metrics
        for concern in observed.concerns():
            parent_run.warn(concern)
        folder = Path(temporary)
        with times.timing(LOG):
            _write_records(journal, cell_runs, folder)
            for cell_run in cell_runs:
                cell_run.finish(folder / cell_run.cell.id, usage)
            results = collect(spec, context, parent_run, cell_runs)
            _store_results(parent_run, results, folder / OWNER)
    seconds = times.seconds()
    parent_run.log(
        metrics={**{f"seconds_{stage}": value for stage, value in seconds.items()}, **usage}
    )
    tokens = context.tokens - tokens_before
    if tokens.computed:
        parent_run.log(
            metrics={"tokens_computed": tokens.computed, "padding_share": tokens.wasted_share}
        )
    return results


def open_cell_runs(
    cells: Sequence[Cell],
    spec: ExperimentSpec,
    context: ExperimentContext,
    tracking: Tracking,
    parent_run: TrackedRun,
) -> list[CellRun]:
    """One run per cell: those that a resumed owner has already, and new ones."""
    present = {run.data.tags.get(runs.CELL_ID): run for run in tracking.children(parent_run.run_id)}
    cell_runs = []
    for cell in cells:
        found = present.get(cell.id)
        if found is None:
            tracked = tracking.create_child(
                parent_run, cell.name, cell_tags(cell, parent_run.run_id)
            )
            cell_run = CellRun(cell, tracked)
            cell_run.start(context.digests, context.inputs(spec))
        else:
            tracked = TrackedRun(tracking.client, found.info.run_id)
            cell_run = CellRun(cell, tracked, finished=found.info.status == "FINISHED")
            if not cell_run.finished:
                tracked.reopen()
        cell_runs.append(cell_run)
    return cell_runs


def missing_shards(
    spec: ExperimentSpec, context: ExperimentContext, journal: Journal
) -> list[Shard]:
    """Those that the journal does not hold yet."""
    shards = make_shards(context.questions.questions, spec.shard_size)
    return [shard for shard in shards if shard.index not in journal]


def open_journal(spec: CacheFields, owner_id: str) -> Journal:
    """The journal of a run; enter it before anything of the run is touched."""
    return Journal(spec.cache_path / "sweeps" / owner_id)


def collect(
    spec: ExperimentSpec,
    context: ExperimentContext,
    parent_run: TrackedRun,
    cell_runs: Sequence[CellRun],
) -> Results:
    questions = context.questions.questions
    return Results(
        sweep_id=parent_run.run_id,
        spec=recorded(spec),
        digests=context.digests,
        floors=accuracy_floors(questions),
        strategies=tuple(dict.fromkeys(run.cell.spec.strategy for run in cell_runs)),
        prices=tuple(sorted({run.cell.spec.retrieval_cost for run in cell_runs})),
        cells=tuple(run.result() for run in cell_runs),
    )


def _run_shards(
    spec: ExperimentSpec,
    context: ExperimentContext,
    parent_run: TrackedRun,
    cell_runs: Sequence[CellRun],
    journal: Journal,
    on_progress: OnProgress,
    times: StageTimes,
) -> None:
    questions = context.questions.questions
    missing = missing_shards(spec, context, journal)
    cells = [cell_run.cell for cell_run in cell_runs]
    n_missing = sum(len(shard.questions) for shard in missing)
    n_known = (len(questions) - n_missing) * len(cells)
    on_episodes = _beginning_at(n_known, len(questions) * len(cells), on_progress)
    merger = ShardMerger(journal, cell_runs)
    executor = context.executor(cells, parent_run.run_id, times)
    with _ProgressLog(cell_runs) as progress:
        merger.advance()
        if not missing:
            on_episodes(0)
            progress.add()
        for finished in executor.run(missing, on_episodes):
            journal.write(finished.index, finished.record)
            if merger.advance(finished):
                with times.timing(LOG):
                    progress.add()
        with times.timing(LOG):
            progress.finish()


@contextlib.contextmanager
def _keeping_events(context: ExperimentContext, parent_run: TrackedRun) -> Iterator[None]:
    """What was done when memory ran out stays on the run, also where it did not help."""
    try:
        yield
    finally:
        with contextlib.suppress(TrackingError):
            for event in context.events:
                parent_run.keep_warning(event)


class _ProgressLog:
    """Logs shards while others run; those that end meanwhile are logged together after that.

    An error of it is raised when another shard ends.
    """

    def __init__(self, cell_runs: Sequence[CellRun]) -> None:
        self._cell_runs = cell_runs
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argo-log")
        self._running: Future[None] | None = None
        self._waiting: list[int] = []

    def __enter__(self) -> _ProgressLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def add(self) -> None:
        """A shard has ended, and the cells have its results."""
        self._waiting.append(len(self._cell_runs[0].results))
        if self._running is None or self._running.done():
            self._start()

    def finish(self) -> None:
        """Log what is left, and wait for it."""
        if self._waiting:
            self._start()
        self._wait()

    def _start(self) -> None:
        self._wait()
        work = [cell_run.progress_logger(self._waiting) for cell_run in self._cell_runs]
        self._waiting = []

        def run_all() -> None:
            for each in work:
                each()

        self._running = self._executor.submit(run_all)

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()


class TimeEstimate(Protocol):
    """What the model was estimated to need."""

    @property
    def model_seconds(self) -> float: ...

    def spent(self, executed: Mapping[Component, float]) -> float:
        """Seconds that these calls were estimated to take."""


def _reporting_time(
    on_progress: OnProgress, times: StageTimes, time_estimate: TimeEstimate
) -> OnProgress:
    """Tells of the model's foretold time as well, and first."""
    total = round(time_estimate.model_seconds)

    def on_episodes(unit: str, n_finished: int, n_total: int) -> None:
        if total:
            on_progress(
                MODEL_SECONDS, min(round(time_estimate.spent(times.executed)), total), total
            )
        on_progress(unit, n_finished, n_total)

    return on_episodes


def _beginning_at(n_before: int, n_episodes: int, on_progress: OnProgress) -> Callable[[int], None]:
    """Reports episodes after those that were finished before."""
    return lambda n_finished: on_progress(EPISODES, n_before + n_finished, n_episodes)


def _write_records(journal: Journal, cell_runs: Sequence[CellRun], folder: Path) -> None:
    """Every cell's trajectories, the owner's passages and what is known of outcomes, in one reading
    of the journal."""
    for name in (OWNER, *(cell_run.cell.id for cell_run in cell_runs)):
        (folder / name).mkdir()
    cells = {cell_run.cell.id: cell_run.cell.spec for cell_run in cell_runs}
    passages: dict[str, dict[str, str]] = {}
    for record in journal.records():
        passages.update(record.passages)
        write_lines(folder / OWNER / OUTCOMES, sweep_lines(record, cells))
        for cell_run in cell_runs:
            lines = record.trajectories[cell_run.cell.id]
            with (folder / cell_run.cell.id / TRAJECTORIES).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    with (folder / OWNER / PASSAGES).open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps(passages[key], ensure_ascii=False) + "\n" for key in sorted(passages)
        )


def _store_results(parent_run: TrackedRun, results: Results, folder: Path) -> None:
    (folder / RESULTS).write_text(results.model_dump_json(indent=1), encoding="utf-8")
    parent_run.log_folder(folder)


@contextlib.contextmanager
def _failing_with(cell_runs: Sequence[CellRun]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for cell_run in cell_runs:
            if not cell_run.finished:
                cell_run.run.fail(error)
        raise
