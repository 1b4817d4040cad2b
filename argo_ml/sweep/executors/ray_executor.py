"""Shards run by a pool of Ray workers; this process keeps the journal and the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Generic

from argo_ml.calibration.record import Calibration
from argo_ml.datasets import QuestionSet
from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.models.base import TokenCounts
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import SomeSpec
from argo_ml.sweep.executors.base import Executor, FinishedShard, OnProgress
from argo_ml.sweep.executors.ray_worker import Facts
from argo_ml.sweep.executors.worker_pool import WorkerPool
from argo_ml.tracking.input_datasets import InputDataset


class RayExecutor:
    """Runs shards in a pool's workers.

    ``times`` gets the mean over the workers, so that stages still add up to wall-clock time.
    """

    def __init__(
        self, pool: WorkerPool, cells: Sequence[Cell], billed_to: str, times: StageTimes
    ) -> None:
        self._pool = pool
        self._specs = tuple(cell.spec for cell in cells)
        self._billed_to = billed_to
        self._times = times

    def run(self, shards: Sequence[Shard], on_progress: OnProgress) -> Iterator[FinishedShard]:
        n_finished = 0
        n_questions = {shard.index: len(shard.questions) for shard in shards}
        for finished in self._pool.run(shards, self._specs, self._billed_to):
            indices = [index for work in finished for index in work.records]
            n_finished += sum(n_questions[index] for index in indices) * len(self._specs)
            on_progress(n_finished + self._pool.n_in_progress())
            for work in finished:
                self._times.add(
                    {stage: s / self._pool.n_workers for stage, s in work.seconds.items()}
                )
                yield from starmap(FinishedShard, work.records.items())


@dataclass(frozen=True, slots=True)
class RemoteContext(Generic[SomeSpec]):
    """The contexts of a pool's workers, which are all alike; the questions are here too."""

    spec: SomeSpec
    questions: QuestionSet
    facts: Facts
    pool: WorkerPool
    calibration: Calibration | None = None
    executes_here: bool = True

    @property
    def digests(self) -> dict[str, str]:
        return self.facts.digests

    @property
    def inputs(self) -> list[InputDataset]:
        return self.facts.inputs

    @property
    def tokens(self) -> TokenCounts:
        return self.pool.tokens

    @property
    def events(self) -> Sequence[str]:
        return self.pool.events

    @property
    def batch_tokens(self) -> int | None:
        """Workers may have come to different ones."""
        return None

    @property
    def context_tokens(self) -> int:
        return self.facts.context_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.pool.count_tokens(texts)

    def executor(self, cells: Sequence[Cell], billed_to: str, times: StageTimes) -> Executor:
        return RayExecutor(self.pool, cells, billed_to, times)
