"""Shards run one after the other in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from argo_ml.engine import Engine
from argo_ml.engine.shards import Shard
from argo_ml.interruption import checkpoint, finishing_batches
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.executors.base import FinishedShard, OnProgress
from argo_ml.sweep.shards import ShardEpisodes


class LocalExecutor:
    """Runs shards in this process, each with an engine of its own from ``make_engine``."""

    def __init__(self, make_engine: Callable[[], Engine], cells: Sequence[Cell]) -> None:
        self._make_engine = make_engine
        self._cells = cells

    def run(self, shards: Sequence[Shard], on_progress: OnProgress) -> Iterator[FinishedShard]:
        n_before = 0
        for shard in shards:
            on_episodes = _beginning_at(n_before, on_progress)
            episodes, engine = ShardEpisodes(shard.questions, self._cells), self._make_engine()
            with finishing_batches():
                done = engine.run(episodes.episodes, episodes.counted(on_episodes))
                record = episodes.record(done, engine.key)
            n_before += len(shard.questions) * len(self._cells)
            on_progress(n_before)
            yield FinishedShard(shard.index, record)
            checkpoint()


def _beginning_at(n_before: int, on_progress: OnProgress) -> OnProgress:
    """Reports a shard's episodes after those of earlier shards."""
    return lambda n_finished: on_progress(n_before + n_finished)
