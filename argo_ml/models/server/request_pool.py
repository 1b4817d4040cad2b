"""Several requests under way at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from functools import partial
from typing import TypeVar

from argo_ml.background import fulfil
from argo_ml.errors import ModelError
from argo_ml.interruption import is_stopping
from argo_ml.models.base import InterruptedRequests, ResponseType, UnfinishedError

ItemType = TypeVar("ItemType")
ResultType = TypeVar("ResultType")


class RequestPool:
    """Works on several requests at once, ``n_at_once`` of all lists together.

    Its threads keep no process from ending: a request may be tried again for many minutes.
    """

    def __init__(self, n_at_once: int) -> None:
        self._n_at_once = n_at_once
        self._slots = threading.Semaphore(n_at_once)

    def run(
        self, work: Callable[[ItemType], ResultType], requests: Sequence[ItemType]
    ) -> list[ResultType]:
        """Results in the order of ``requests``.

        Once one has failed, or a stop was asked for, no further ones are begun. Raises
        `InterruptedRequests` for an interruption or a stop and else `UnfinishedError` for a
        `ModelError`, with what the others have found, and any other error as it is.
        """
        futures: list[Future[ResultType]] = [Future() for _ in requests]
        waiting = deque(zip(futures, requests, strict=True))
        for _ in range(min(self._n_at_once, len(requests))):
            threading.Thread(
                target=self._work_off, args=(work, waiting), name="argo-server", daemon=True
            ).start()
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            _cancel(futures)
            wait(futures)
        except KeyboardInterrupt:
            _cancel(futures)
            n_under_way = sum(not future.done() for future in futures)
            raise InterruptedRequests(_finished(futures), n_under_way) from None
        finished = _finished(futures)
        if len(finished) < len(futures):
            raise _failure(futures, finished)
        return list(finished.values())

    def spread(
        self, work: Callable[[ItemType], ResultType], parts: Sequence[ItemType]
    ) -> list[ResultType]:
        """Results of the parts of one request that is under way, in their order.

        What no other request needs works on them as well. Parts are finished where a stop was asked
        for. Raises the first error as it is.
        """
        futures: list[Future[ResultType]] = [Future() for _ in parts]
        waiting = deque(zip(futures, parts, strict=True))
        for _ in parts[1:]:
            if not self._slots.acquire(blocking=False):
                break
            threading.Thread(
                target=self._help, args=(work, waiting), name="argo-server", daemon=True
            ).start()
        _work_through(work, waiting)
        return [future.result() for future in futures]

    def _help(
        self,
        work: Callable[[ItemType], ResultType],
        waiting: deque[tuple[Future[ResultType], ItemType]],
    ) -> None:
        try:
            _work_through(work, waiting)
        finally:
            self._slots.release()

    def _work_off(
        self,
        work: Callable[[ItemType], ResultType],
        waiting: deque[tuple[Future[ResultType], ItemType]],
    ) -> None:
        """Work on what waits until nothing does; what is cancelled is left out."""
        while waiting:
            with self._slots, contextlib.suppress(IndexError):
                future, request = waiting.popleft()
                if is_stopping():
                    future.cancel()
                if future.set_running_or_notify_cancel():
                    fulfil(future, partial(work, request))


def _work_through(
    work: Callable[[ItemType], ResultType], waiting: deque[tuple[Future[ResultType], ItemType]]
) -> None:
    """Work on what waits until nothing does, or something has failed: then nobody needs the rest,
    which comes after it."""
    with contextlib.suppress(IndexError):
        while True:
            future, part = waiting.popleft()
            fulfil(future, partial(work, part))
            while future.exception() is not None:
                waiting.popleft()[0].cancel()


def _cancel(futures: Sequence[Future[ResultType]]) -> None:
    """Those that are under way go on."""
    for future in futures:
        future.cancel()


def _finished(futures: Sequence[Future[ResultType]]) -> dict[int, ResultType]:
    return {
        index: future.result()
        for index, future in enumerate(futures)
        if future.done() and _ok(future)
    }


def _ok(future: Future[ResultType]) -> bool:
    return not future.cancelled() and future.exception() is None


def _failure(
    futures: Sequence[Future[ResultType]], finished: dict[int, ResultType]
) -> BaseException:
    """Why there are no more results: a stop that was asked for, or else the first error."""
    errors = [future.exception() for future in futures if not future.cancelled()]
    first = next((error for error in errors if error is not None), None)
    is_of_model = isinstance(first, ModelError)
    if first is None or isinstance(first, KeyboardInterrupt) or (is_of_model and is_stopping()):
        return InterruptedRequests(finished, n_under_way=0)
    return UnfinishedError(str(first), finished) if is_of_model else first


def share_time(responses: dict[int, ResponseType], started: float) -> dict[int, ResponseType]:
    """``seconds`` of requests that ran at once made to add up to the time since ``started``."""
    total = sum(response.seconds for response in responses.values())
    factor = (time.perf_counter() - started) / total if total else 0.0
    return {
        index: replace(response, seconds=response.seconds * factor)
        for index, response in responses.items()
    }
