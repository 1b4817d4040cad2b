"""Calls a pipeline at most once per question and variant, and keeps what it answers."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tenacity import (
    Retrying,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
)

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.datasets.lines import LineError, decode_line
from argo_ml.errors import ModelError, one_line
from argo_ml.interruption import checkpoint, finishing_batches, is_stopping
from argo_ml.models.cache.store import CallCache, Entry
from argo_ml.progress import OnProgress
from argo_ml.recording.answers import OutcomeValues, outcome_of
from argo_ml.recording.event_loop import EventLoop
from argo_ml.recording.failures import Failures
from argo_ml.replay.reading import check_outcome
from argo_ml.types import Question

PIPELINE = "pipeline"
"""The kind of a kept answer, which is no call of a language model of ours."""
LONGEST_WAIT_S = 30.0
UNIT = "answers"
_POLL_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A question under a plan: ``asked`` is what the callable gets, ``key`` what its answer is
    kept by."""

    key: str
    question: Question
    plan: str
    asked: Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How a pipeline is called: so many questions at once, so many calls, so many tries again."""

    batch_size: int
    concurrency: int
    max_retries: int


class PipelineCalls:
    """Answers of one version of a pipeline, those asked for before from the cache.

    ``n_asked`` and ``n_kept`` count them. Whoever has made it closes it.
    """

    def __init__(
        self,
        identity: str,
        cache: CallCache,
        billed_to: str,
        limits: Limits,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._identity = identity
        self._cache = cache
        self._billed_to = billed_to
        self._limits = limits
        self._clock = clock
        self._event_loop = EventLoop()
        self._failures = Failures()
        self.n_asked = 0
        self.n_kept = 0

    def close(self) -> None:
        self._event_loop.close()

    def check(self) -> None:
        """Raises `ModelError` that names all questions which could not be answered."""
        self._failures.check()

    def call(self, question: Question, plan: str, asked: Any, before: object = None) -> Call:
        """``before`` is all that the answer depends on beside the question's text."""
        content = json.dumps([self._identity, PIPELINE, plan, asked_text(question), before])
        return Call(hashlib.sha256(content.encode()).hexdigest(), question, plan, asked)

    def answer(
        self, function: Callable[..., Any], calls: Sequence[Call], on_progress: OnProgress
    ) -> dict[str, OutcomeValues]:
        """The outcomes by ids of questions, in the order of calls, without those that `check` will
        name; what was answered is kept at once.

        Raises `ModelError` for a callable that gives no list of answers, and for one that answers
        no question any more.
        """
        kept = self._find(calls)
        missing = list({call.key: call for call in calls if call.key not in kept}.values())
        self.n_kept += len(kept)
        self.n_asked += len(missing)
        n_before = len(calls) - len(missing)
        on_progress(UNIT, n_before, len(calls))
        with contextlib.closing(self._executed(function, missing)) as batches:
            for answered in batches:
                kept |= answered
                n_before += len(answered)
                on_progress(UNIT, n_before, len(calls))
        return {call.question.id: kept[call.key] for call in calls if call.key in kept}

    def _find(self, calls: Sequence[Call]) -> dict[str, OutcomeValues]:
        """The outcomes that are kept, by key. One that no file can have, as earlier versions kept
        some, is removed, so that it is asked for again."""
        entries = self._cache.find(call.key for call in calls)
        kept: dict[str, OutcomeValues] = {}
        unreadable: dict[str, str] = {}
        for call in {call.key: call for call in calls if call.key in entries}.values():
            try:
                kept[call.key] = _as_read(call, json.loads(entries[call.key].output))
            except LineError as error:
                unreadable[call.key] = f"{_where(call)} {error}"
        if unreadable:
            first = next(iter(unreadable.values()))
            logger.warning(
                "%d kept answers cannot be used and are asked for again: %s", len(unreadable), first
            )
            self._cache.remove(tuple(unreadable))
        return kept

    def _executed(
        self, function: Callable[..., Any], calls: Sequence[Call]
    ) -> Generator[dict[str, OutcomeValues], None, None]:
        """Batches as they are answered; after an error those under way are kept before it rises.

        Of these and of those under way when a stop is asked for nothing is tried again.
        """
        size = self._limits.batch_size
        batches = [calls[start : start + size] for start in range(0, len(calls), size)]
        stopping = threading.Event()
        n_at_once = self._limits.concurrency
        with ThreadPoolExecutor(n_at_once, "pipeline") as pool, _set_at_the_end(stopping):
            begun = (pool.submit(self._batch, function, batch, stopping) for batch in batches)
            under_way: set[Future[dict[str, OutcomeValues]]] = set()
            while True:
                with finishing_batches():
                    under_way |= set(islice(begun, n_at_once - len(under_way)))
                    finished, under_way = _first_finished(under_way, stopping)
                checkpoint()
                if not finished:
                    return
                for future in finished:
                    yield future.result()
                if self._failures.are_all:
                    self._failures.check()

    def _batch(
        self, function: Callable[..., Any], batch: Sequence[Call], stopping: threading.Event
    ) -> dict[str, OutcomeValues]:
        """A batch that fails for good is asked one by one, of which one that fails alone is left
        out."""
        try:
            return self._kept(batch, *self._tried(function, batch, stopping))
        except _RaisedError as error:
            if len(batch) == 1:
                self._failures.add(batch[0].question, error)
                return {}
        answered: dict[str, OutcomeValues] = {}
        for call in batch:
            if stopping.is_set() or self._failures.are_all:
                break
            answered |= self._batch(function, [call], stopping)
        return answered

    def _tried(
        self, function: Callable[..., Any], batch: Sequence[Call], stopping: threading.Event
    ) -> tuple[list[Any], float]:
        """What came, and the seconds that the try it came of took; there may be several, up to
        that during which ``stopping`` is set."""
        tries = Retrying(
            stop=stop_after_attempt(self._limits.max_retries + 1) | stop_when_event_set(stopping),
            wait=wait_exponential(multiplier=0.5, max=LONGEST_WAIT_S),
            sleep=sleep_using_event(stopping),
            reraise=True,
        )
        asked = [call.asked for call in batch]
        try:
            given, seconds = tries(self._timed, function, asked, stopping)
        # Whatever the caller's pipeline raises: the question that it fails at has to be named.
        except Exception as error:
            raise _RaisedError(
                f"{_where(batch[0])} raised {type(error).__name__}: {one_line(error)[:200]}"
            ) from error
        return _listed(given, batch), seconds

    def _timed(
        self, function: Callable[..., Any], asked: Sequence[Any], stopping: threading.Event
    ) -> tuple[Any, float]:
        if stopping.is_set():
            raise InterruptedError("nothing is asked any more")
        started = self._clock()
        given = self._called(function, asked)
        return given, self._clock() - started

    def _called(self, function: Callable[..., Any], asked: Sequence[Any]) -> Any:
        """What the callable gives, as a list where it can be one: only then does a generator
        run."""
        given = function(list(asked))
        if inspect.isawaitable(given):
            given = self._event_loop.result_of(given)
        is_list = hasattr(given, "__iter__") and not isinstance(given, (str, Mapping))
        return list(given) if is_list else given

    def _kept(
        self, batch: Sequence[Call], given: Sequence[Any], seconds: float
    ) -> dict[str, OutcomeValues]:
        """Outcomes by key, of those that can be read."""
        outcomes: dict[str, OutcomeValues] = {}
        try:
            for call, own in zip(batch, given, strict=True):
                try:
                    outcomes[call.key] = _outcome(call, own, seconds / len(batch))
                except ModelError as error:
                    self._failures.add(call.question, error)
                else:
                    self._failures.end_row()
        finally:
            self._store(outcomes)
        return outcomes

    def _store(self, outcomes: Mapping[str, OutcomeValues]) -> None:
        entries = [
            Entry(
                key=key,
                kind=PIPELINE,
                output=json.dumps(outcome),
                prompt_tokens=int(outcome.get("prompt_tokens", 0)),
                output_tokens=json.dumps(int(outcome.get("completion_tokens", 0))),
                seconds=float(outcome["seconds"]),
                billed_to=self._billed_to,
            )
            for key, outcome in outcomes.items()
        ]
        if entries:
            self._cache.add(self._identity, entries)


@contextlib.contextmanager
def _set_at_the_end(event: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        event.set()


def _first_finished(
    under_way: set[Future[dict[str, OutcomeValues]]], stopping: threading.Event
) -> tuple[set[Future[dict[str, OutcomeValues]]], set[Future[dict[str, OutcomeValues]]]]:
    """Those that have finished first, and the others; ``stopping`` is set once a stop is asked
    for."""
    finished: set[Future[dict[str, OutcomeValues]]] = set()
    while under_way and not finished:
        finished, under_way = wait(under_way, _POLL_S, FIRST_COMPLETED)
        if is_stopping():
            stopping.set()
    return finished, under_way


class _RaisedError(ModelError):
    """The caller's pipeline raised, also when it was tried again."""


def asked_text(question: Question) -> str:
    """What a pipeline is asked: the question, and its choices below it."""
    return "\n".join((question.text, *(f"- {choice}" for choice in question.choices)))


def _listed(given: Any, batch: Sequence[Call]) -> list[Any]:
    if not isinstance(given, list):
        raise ModelError(
            f"{_where(batch[0])} gave {given!r:.40} for a list of {len(batch)}; give a list with "
            "one answer per question"
        )
    if len(given) != len(batch):
        raise ModelError(
            f"{_where(batch[0])} gave {len(given)} answers for {len(batch)} questions; give one "
            "per question, in their order"
        )
    return given


def _outcome(call: Call, given: Any, seconds: float) -> OutcomeValues:
    try:
        return _as_read(call, {"seconds": round(seconds, 6), **outcome_of(given, call.plan)})
    except LineError as error:
        raise ModelError(f"{_where(call)} gave an answer that cannot be kept: {error}") from None
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{_where(call)} gave {one_line(error)}; give a text, or a mapping with answer"
        ) from None


def _as_read(call: Call, outcome: OutcomeValues) -> OutcomeValues:
    """The outcome as a replay finds it in a file.

    Raises `LineError` for one that it refuses, `TypeError` or `ValueError` for what is no JSON.
    """
    read: Any = decode_line(json.dumps(outcome))
    check_outcome(call.question, call.plan, read)
    return dict(read)


def _where(call: Call) -> str:
    variant = {NONE: "without retrieval", ONCE: "with retrieval"}.get(call.plan, call.plan)
    return f"pipeline {variant}, question {call.question.id!r}:"
