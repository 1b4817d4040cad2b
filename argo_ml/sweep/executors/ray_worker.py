"""One worker: an experiment context in a process of its own, and shards run with it."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argo_ml import __version__
from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, ContextSpec
from argo_ml.datasets import QuestionSet
from argo_ml.devices import limits
from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.models.base import TokenCounts
from argo_ml.results.shard import ShardRecord
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.tracking.input_datasets import InputDataset


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker has opened, where it is, and what it warned of meanwhile.

    All workers must have opened the same. ``answering`` is how choices are answered, once it is
    known what the model can do, ``min_similarity`` a number, once the corpus is known, and
    ``precision`` that of the calibration, where there is one. ``context_tokens`` is the context of
    a server, as far as it is known.
    """

    place: str
    version: str
    digests: dict[str, str]
    inputs: list[InputDataset]
    answering: str
    min_similarity: float
    precision: str
    context_tokens: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, str]:
        return {"argo_ml": self.version, **self.digests}


@dataclass(frozen=True, slots=True)
class ShardWork:
    """The records of shards by index, the seconds of every stage, and the tokens computed for them.

    ``n_requests`` is how many requests the model works on at once, ``events`` are what it did when
    memory ran out, ``warnings`` what the user should see.
    """

    records: Mapping[int, ShardRecord]
    seconds: Mapping[str, float]
    tokens: TokenCounts
    n_requests: int = 1
    events: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Worker:
    """Opens what ``spec`` names on the machine where it runs.

    ``folder`` is where relative paths begin, if that machine has it. A model on its CPU plans with
    ``memory_share`` of the memory there.
    """

    def __init__(
        self,
        spec: ContextSpec,
        questions: QuestionSet,
        folder: str,
        calibration: Calibration | None = None,
        memory_share: float = 1.0,
    ) -> None:
        self._spec = spec
        self._questions = questions
        self._calibration = calibration
        self._memory_share = memory_share
        self._folder = folder
        self._context: LocalContext[ContextSpec] | None = None
        self._cells: tuple[tuple[CellSpec, ...], Sequence[Cell]] = ((), ())
        self._n_finished = 0
        self._n_events = 0
        self._warnings = _Warnings()
        logging.getLogger("argo_ml").addHandler(self._warnings)

    def open(self) -> Facts:
        """Open the worker's context. Raises `ArgoError`, as `LocalContext.open` does."""
        with contextlib.suppress(OSError):
            os.chdir(self._folder)
        limits.share_memory(self._memory_share)
        place = f"process {os.getpid()} on {socket.gethostname()}"
        context = self.context
        return Facts(
            place=place,
            version=__version__,
            digests=context.digests,
            inputs=context.inputs,
            answering=context.spec.answering,
            min_similarity=context.spec.similarity_limit,
            precision=context.spec.precision,
            context_tokens=context.context_tokens,
            warnings=self._warnings.taken(),
        )

    @property
    def context(self) -> LocalContext[ContextSpec]:
        if self._context is None:
            self._context = LocalContext.open(
                self._spec, questions=self._questions, calibration=self._calibration
            )
        return self._context

    def run(
        self, shards: Sequence[Shard], specs: tuple[CellSpec, ...], billed_to: str
    ) -> ShardWork:
        """Run the shards through the cells of ``specs``, as many together as the model has room
        for; executed calls are ``billed_to``'s."""
        context, times = self.context, StageTimes()
        tokens_before = context.tokens
        self._n_finished = 0
        executor = context.executor(self._prepared(specs), billed_to, times)
        finished = executor.run(shards, self._count)
        return ShardWork(
            records={shard.index: shard.record for shard in finished},
            seconds=times.seconds(),
            tokens=context.tokens - tokens_before,
            n_requests=context.requests_at_once(),
            events=self._new_events(),
            warnings=self._warnings.taken(),
        )

    def n_finished(self) -> int:
        """Episodes of the shards in progress that have finished."""
        return self._n_finished

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.context.count_tokens(texts)

    def _new_events(self) -> tuple[str, ...]:
        """The model's events since the last shards, or since opening began."""
        events = tuple(self.context.events[self._n_events :])
        self._n_events += len(events)
        return events

    def _count(self, n_finished: int) -> None:
        self._n_finished = n_finished

    def _prepared(self, specs: tuple[CellSpec, ...]) -> Sequence[Cell]:
        if self._cells[0] != specs:
            self._cells = specs, prepare_cells(specs, self.context)
        return self._cells[1]


class _Warnings(logging.Handler):
    """Keeps what is logged until it is taken to where the user sees it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())

    def taken(self) -> tuple[str, ...]:
        texts, self._texts = tuple(self._texts), []
        return texts
