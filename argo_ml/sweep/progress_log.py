"""What is reported and logged of a sweep while its shards run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from argo_ml.background import begin
from argo_ml.engine.stages import LOG, StageTimes
from argo_ml.errors import TrackingError
from argo_ml.evaluation.stopping import StoppingRule
from argo_ml.progress import EPISODES, MODEL_SECONDS, OnProgress
from argo_ml.sweep.cell_run import CellRun
from argo_ml.sweep.executors.base import FinishedShard
from argo_ml.sweep.journal import Journal
from argo_ml.sweep.merging import ShardMerger
from argo_ml.types import Component
from argo_ml.waiting import LAST_WORDS_S

LOG_EVERY_S = 5.0
"""Between the beginnings of two requests to every run: where every call is known, shards end by the
dozen, and more than a tenth of a sweep would be spent on curves that it ends with anyway."""
logger = logging.getLogger(__name__)


class ShardLog:
    """Takes finished shards: into the journal, in order to the cells, and to their runs.

    Entering takes what the journal holds already; leaving waits until all is logged, and after an
    error not long.
    """

    def __init__(
        self,
        journal: Journal,
        cell_runs: Sequence[CellRun],
        times: StageTimes,
        rule: StoppingRule | None = None,
    ) -> None:
        self._journal = journal
        self._cell_runs = cell_runs
        self._merger = ShardMerger(journal, cell_runs, rule)
        self._progress = ProgressLog(cell_runs)
        self._times = times

    def __enter__(self) -> ShardLog:
        # The process that ran a shard may not have logged it.
        self._log()
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        try:
            if error_type is None:
                self._merger.forget_others()
                for cell_run in self._cell_runs:
                    cell_run.end_curves()
                with self._times.timing(LOG):
                    self._progress.finish()
        finally:
            self._progress.close()

    @property
    def is_decided(self) -> bool:
        """Whether no other shard is needed."""
        return self._merger.is_decided

    @property
    def n_shards(self) -> int:
        """How many shards before the first that is not finished."""
        return self._merger.n_shards

    def add(self, finished: FinishedShard) -> None:
        self._journal.write(finished.index, finished.record)
        with self._times.timing(LOG):
            self._log(finished)

    def _log(self, finished: FinishedShard | None = None) -> None:
        if self._merger.advance(finished):
            self._progress.add()


class ProgressLog:
    """Logs shards while others run; those that end within `LOG_EVERY_S` are logged together.

    Nothing needs the curves before the end: what a store that is gone does not take is logged with
    later shards, and `finish` alone raises `TrackingError`. Another error is raised with the next.
    """

    def __init__(
        self, cell_runs: Sequence[CellRun], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cell_runs = cell_runs
        self._clock = clock
        self._running: Future[None] | None = None
        self._is_gone = False
        self._due_at = clock()

    def add(self) -> None:
        """Shards have ended, and the cells have their results."""
        is_free = self._running is None or self._running.done()
        if is_free and self._clock() >= self._due_at:
            self._start()

    def finish(self) -> None:
        """Log what is left, and wait for it. Raises `TrackingError` where the store is gone."""
        self._start()
        if self._running is not None:
            self._running.result()

    def close(self) -> None:
        """Let what is being logged end; MLflow may try for minutes to reach a store that is
        gone."""
        if self._running is not None:
            wait([self._running], LAST_WORDS_S)

    def _start(self) -> None:
        self._end_last()
        self._due_at = self._clock() + LOG_EVERY_S
        self._running = begin("argo-log", self._log_all)

    def _log_all(self) -> None:
        for cell_run in self._cell_runs:
            cell_run.log_progress()

    def _end_last(self) -> None:
        """Wait for what is being logged, and warn once while a store is gone."""
        if self._running is None:
            return
        try:
            self._running.result()
            self._is_gone = False
        except TrackingError as error:
            if not self._is_gone:
                logger.warning("%s; the sweep goes on, and its curves are logged later", error)
            self._is_gone = True


class TimeEstimate(Protocol):
    """What the model was estimated to need."""

    @property
    def model_seconds(self) -> float: ...

    def spent(self, executed: Mapping[Component, float]) -> float:
        """Seconds that these calls were estimated to take."""


def episode_progress(
    on_progress: OnProgress,
    n_left: int,
    n_episodes: int,
    times: StageTimes,
    time_estimate: TimeEstimate | None,
) -> Callable[[int], None]:
    """Reports episodes after those that were finished before.

    Where the model's time was estimated that is reported as well, and first.
    """
    n_seconds = round(time_estimate.model_seconds) if time_estimate else 0

    def on_episodes(n_finished: int) -> None:
        if time_estimate and n_seconds:
            n_spent = min(round(time_estimate.spent(times.executed)), n_seconds)
            on_progress(MODEL_SECONDS, n_spent, n_seconds)
        on_progress(EPISODES, n_episodes - n_left + n_finished, n_episodes)

    return on_episodes
