"""The executor contract: shards in, their records out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from argo_ml.engine.shards import Shard
from argo_ml.results.shard import ShardRecord

OnProgress = Callable[[int], None]
"""Told how many episodes have finished so far."""


@dataclass(frozen=True, slots=True)
class FinishedShard:
    index: int
    record: ShardRecord


class Executor(Protocol):
    """Runs shards through all cells; a record says the same whoever makes it, and in any order."""

    def run(self, shards: Sequence[Shard], on_progress: OnProgress) -> Iterator[FinishedShard]:
        """Yield every shard once, as they finish.

        Raises `ArgoError` for what a user can act on; shards that were yielded stay done.
        """
