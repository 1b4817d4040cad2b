"""Workers as Ray actors: opened, given shards, replaced where they are lost."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from argo_ml.engine.shards import Shard
from argo_ml.errors import ArgoError, ConfigError
from argo_ml.models.base import TokenCounts
from argo_ml.sweep.executors.ray_worker import Facts, ShardWork

logger = logging.getLogger(__name__)

POLL_S = 1.0
MOST_LOSSES = 3
"""Workers that one shard, or opening, may cost before it is taken for the cause."""
OPENING = "opening"
SHARES = 2
"""Of the shards that wait a worker gets at most one such share of its own."""
PATIENCE = 60
"""Polls without any worker ready until the user is shown what they are waiting for."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does: run some shards, or open its context where there are none."""

    worker: Any
    shards: tuple[Shard, ...] = ()

    @property
    def names(self) -> list[str]:
        return [name_of(shard) for shard in self.shards] or [OPENING]


def name_of(shard: Shard) -> str:
    return f"shard {shard.index}"


class WorkerPool:
    """``n_workers`` actors that ``hire`` makes; ``ray`` is the module, connected already.

    A worker gets as many shards together as a model has had room for, fewer towards the end, so
    that none is idle while another has several left. One that is lost is replaced, and its shards
    go one by one to the first that is free: the replacement may have to wait for a machine.
    """

    def __init__(self, ray: Any, hire: Callable[[], Any], n_workers: int) -> None:
        self.n_workers = n_workers
        self.tokens = TokenCounts()
        self.events: list[str] = []
        self._ray = ray
        self._hire = hire
        self._jobs: dict[Any, Job] = {}
        self._idle: deque[Any] = deque()
        self._waiting: deque[Shard] = deque()
        self._losses: Counter[str] = Counter()
        self._n_requests = 1
        self._n_polls = 0
        self._shown: set[str] = set()
        self._facts: Facts | None = None
        for _ in range(n_workers):
            self._open_another()

    def wait_for_facts(self) -> Facts:
        """Wait until the first worker has opened what every worker opens. Raises `ArgoError`."""
        while self._facts is None:
            self._collect()
        return self._facts

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count them with a worker that has opened its context."""
        at_work = [job.worker for job in self._jobs.values() if job.shards]
        worker = [*self._idle, *at_work][0]
        counted: list[int] = self._ray.get(worker.count_tokens.remote(list(texts)))
        return counted

    def run(self, shards: Sequence[Shard], *arguments: object) -> Iterator[list[ShardWork]]:
        """Yield what has finished until all has; an empty list where a second has passed.

        ``arguments`` go to `Worker.run` after the shards.
        """
        self._waiting.extend(shards)
        n_left = len(shards)
        while n_left:
            self._hand_out(arguments)
            finished = self._collect()
            n_left -= sum(len(work.records) for work in finished)
            # Before the caller has dealt with these, which may take a while.
            self._hand_out(arguments)
            yield finished

    def n_in_progress(self) -> int:
        """Finished episodes of unfinished shards; without workers that do not answer at once."""
        queries = [job.worker.n_finished.remote() for job in self._jobs.values() if job.shards]
        if not queries:
            return 0
        answered, _ = self._ray.wait(queries, num_returns=len(queries), timeout=POLL_S)
        total = 0
        for answer in answered:
            with contextlib.suppress(self._ray.exceptions.RayError):
                total += self._ray.get(answer)
        return total

    def dismiss(self) -> None:
        """End all workers, whatever they do; what they have stored is kept."""
        for worker in [*self._idle, *(job.worker for job in self._jobs.values())]:
            self._ray.kill(worker)

    def _open_another(self) -> None:
        worker = self._hire()
        self._jobs[worker.open.remote()] = Job(worker)

    def _hand_out(self, arguments: Sequence[object]) -> None:
        while self._idle and self._waiting:
            worker, shards = self._idle.popleft(), self._next_shards()
            self._jobs[worker.run.remote(shards, *arguments)] = Job(worker, shards)

    def _next_shards(self) -> tuple[Shard, ...]:
        """Those that one worker runs together; one that has cost a worker runs alone."""
        shards = [self._waiting.popleft()]
        room = self._n_requests - len(shards[0].questions)
        n_fair = len(self._waiting) // (SHARES * self.n_workers)
        while len(shards) < n_fair and room > 0:
            if any(self._losses[name_of(own)] for own in (shards[0], self._waiting[0])):
                break
            shards.append(self._waiting.popleft())
            room -= len(shards[-1].questions)
        return tuple(shards)

    def _collect(self) -> list[ShardWork]:
        """Wait a second for a job to end, and sort out those that have."""
        ended, _ = self._ray.wait(list(self._jobs), num_returns=1, timeout=POLL_S)
        self._be_patient()
        finished = []
        for reference in ended:
            job = self._jobs.pop(reference)
            try:
                returned = self._result(reference)
            except self._ray.exceptions.RayError as error:
                self._lose(job, error)
                continue
            self._idle.append(job.worker)
            self._pass_on(returned.warnings)
            if job.shards:
                self.tokens += returned.tokens
                self.events.extend(returned.events)
                self._n_requests = returned.n_requests
                finished.append(returned)
            else:
                self._welcome(returned)
        return finished

    def _result(self, reference: Any) -> Any:
        """What a job returned; what it raised is raised as it was, a lost worker as a RayError."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def _welcome(self, facts: Facts) -> None:
        first = self._facts = self._facts or facts
        for name, value in facts.identity.items():
            if value != first.identity[name]:
                raise ConfigError(
                    f"{name} is {value} for {facts.place} and {first.identity[name]} for "
                    f"{first.place}; give all machines the same versions, files and models"
                )
        self._losses[OPENING] = 0
        logger.info("Ray worker ready: %s", facts.place)

    def _pass_on(self, warnings: Sequence[str]) -> None:
        """Log what workers warn of, and what several warn of once."""
        for text in warnings:
            if text not in self._shown:
                logger.warning("%s", text)
                self._shown.add(text)

    def _lose(self, job: Job, error: Exception) -> None:
        """Replace a worker and put its shards first in the queue, unless one was tried enough."""
        # It may only be out of reach, and would keep its GPUs.
        self._ray.kill(job.worker)
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        self._losses.update(job.names)
        name = max(job.names, key=lambda own: self._losses[own])
        if self._losses[name] == MOST_LOSSES:
            raise ArgoError(
                f"executor=ray: {MOST_LOSSES} workers were lost at {name} ({reason}); their "
                "memory may have run out: see /tmp/ray/session_latest/logs, and try fewer workers "
                "or batch_tokens"
            )
        where = ", ".join(job.names)
        logger.warning("a Ray worker was lost at %s (%s); another takes over", where, reason)
        self._waiting.extendleft(reversed(job.shards))
        self._open_another()

    def _be_patient(self) -> None:
        """Log once in a while that no worker is ready."""
        is_waiting = not self._idle and not any(job.shards for job in self._jobs.values())
        self._n_polls = self._n_polls + 1 if is_waiting else 0
        if is_waiting and self._n_polls % PATIENCE == 0:
            logger.info(
                "no Ray worker is ready yet: they load their models, or wait until the cluster has "
                "room for them (ray status)"
            )
