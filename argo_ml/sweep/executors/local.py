"""Shards run in this process: one after the other, or several together where the model has room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from argo_ml.engine import Engine
from argo_ml.engine.shards import Shard
from argo_ml.interruption import in_batches
from argo_ml.pipeline.requests import Requesting
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.executors.base import FinishedShard, OnProgress
from argo_ml.sweep.shards import ShardEpisodes


class LocalExecutor:
    """Runs shards in this process with an engine from ``make_engine``.

    ``n_requests`` says how many requests the model works on at once: as many shards run together as
    it takes to make them.
    """

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        cells: Sequence[Cell],
        n_requests: Callable[[], int] = lambda: 1,
    ) -> None:
        self._make_engine = make_engine
        self._cells = cells
        self._n_requests = n_requests

    def run(self, shards: Sequence[Shard], on_progress: OnProgress) -> Iterator[FinishedShard]:
        episodes: dict[int, ShardEpisodes] = {}
        n_finished: dict[int, int] = {}

        def groups() -> Iterator[Sequence[Requesting[Outcome]]]:
            for number, shard in enumerate(shards):
                episodes[number] = ShardEpisodes(shard.questions, self._cells)
                yield episodes[number].episodes

        def count(number: int, n_of_shard: int) -> None:
            episodes[number].counted(partial(n_finished.__setitem__, number))(n_of_shard)
            on_progress(sum(n_finished.values()))

        engine = self._make_engine()
        running = engine.run_groups(groups(), self._n_requests, count)
        records = (
            (number, episodes.pop(number).record(done, engine.key)) for number, done in running
        )
        for number, record in in_batches(records):
            n_finished[number] = len(shards[number].questions) * len(self._cells)
            on_progress(sum(n_finished.values()))
            yield FinishedShard(shards[number].index, record)
