"""How fast a model is on this machine, measured at the beginning of the sweep in question."""

from __future__ import annotations

import json
import logging
import platform
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from argo_ml.config import ContextSpec
from argo_ml.engine import Engine
from argo_ml.engine.stages import OF_COMPONENT, StageTimes
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring
from argo_ml.models.cache.caching import CachingModel
from argo_ml.models.cache.store import model_digest
from argo_ml.models.deferred import load_now
from argo_ml.models.digests import write_atomically
from argo_ml.pipeline import Known, run_episode
from argo_ml.policies.base import Decision, State
from argo_ml.results.records import Record
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.shards import episodes
from argo_ml.types import Action, Component, Question, StopReason

LIMIT_S = 20.0
ANSWERED = 4
"""Questions that are answered at once: more would leave no time for the steps of episodes, which
are most calls of a sweep."""
SLICE = 16
"""Requests between two readings of the clock, and between two writes to the cache."""
FILE = "speed_profiles.json"
EARLIER_FILE = "calibrations.json"
"""What versions wrote that called them calibrations."""
DEFAULT_TOKENS = 12
"""Of a completion, where none was seen yet."""

RequestType = TypeVar("RequestType", Generation, Scoring)
ResponseType = TypeVar("ResponseType", Completion, Scores)
logger = logging.getLogger(__name__)


class SpeedProfile(Record):
    """What was seen of one model on one machine.

    ``seconds`` are those of an executed call by component, in batches of at most `SLICE`,
    ``completion_tokens`` their mean tokens, and ``repeated_share`` is the share of sub-questions
    that the episode had asked before.
    """

    seconds: Mapping[str, float] = {}
    tokens: Mapping[str, float] = {}
    repeated_share: float = 0.0
    retrieval_success_rate: float = 1.0

    def call_seconds(self, component: Component) -> float:
        """Seconds of a call; a component that was not seen counts as the slowest that was, among
        those that write where it does so always."""
        if component.value in self.seconds:
            return self.seconds[component.value]
        written = [own for name, own in self.seconds.items() if name in self.tokens]
        is_scored = component is Component.SYNTHESIZER or not written
        return max(self.seconds.values() if is_scored else written, default=0.0)

    def completion_tokens(self, component: Component | None) -> int:
        mean = self.tokens.get(component.value) if component else None
        return max(1, round(mean or DEFAULT_TOKENS))


def measure_speed(
    questions: Sequence[Question],
    cells: Sequence[Cell],
    context: LocalContext[ContextSpec],
    billed_to: str,
    limit_s: float = LIMIT_S,
) -> SpeedProfile:
    """Run the beginning of the cells' episodes for about ``limit_s`` seconds of the model, which
    is loaded before.

    First of all the first `ANSWERED` questions are answered once after a single retrieval, since
    the episodes themselves come to their answers only at their ends. What is executed is in the
    call cache, so that the sweep itself need not repeat it.
    """
    watched = _TimedModel(load_now(context.model), limit_s)
    model = CachingModel(watched, context.cache, billed_to, SLICE)
    engine = Engine(model, context.corpus.retriever)
    known: defaultdict[Hashable, Known] = defaultdict(Known)
    pipeline = cells[0].pipeline
    single = [
        run_episode(question, _RetrieveOnce(), pipeline, known[question.id, pipeline.knowledge])
        for question in questions[:ANSWERED]
    ]
    successes: list[bool] = []
    try:
        for done in engine.run(single):
            successes.extend(step.succeeded for step in done.outcome.steps)
        pairs = [(cell, question) for cell in cells for question in questions]
        engine.run(episodes(pairs, known))
    except _TimeIsUp:
        pass
    return watched.speed_profile(sum(successes) / len(successes) if successes else 1.0)


@dataclass(frozen=True, slots=True)
class _RetrieveOnce:
    def decide(self, state: State, rng: random.Random) -> Decision:
        if state.steps:
            return Decision(Action.STOP, StopReason.POLICY)
        return Decision(Action.RETRIEVE)


class _TimeIsUp(Exception):
    pass


class _TimedModel:
    """Counts and times what is executed, and stops before a slice once its seconds are up."""

    def __init__(self, model: LanguageModel, limit_s: float) -> None:
        self._model = model
        self._left_s = limit_s
        self._times = StageTimes()
        self._executed: Counter[Component] = Counter()
        self._tokens: Counter[Component] = Counter()
        self._n_repeated = 0

    @property
    def identity(self) -> str:
        return self._model.identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        completions = self._timed(self._model.generate, requests)
        for request, completion in zip(requests, completions, strict=True):
            if request.component:
                self._tokens[request.component] += completion.completion_tokens
            if request.component is Component.DECOMPOSER:
                self._n_repeated += _is_repeated(completion.text, request.prompt.turn)
        return completions

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return self._timed(self._model.score, requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    def speed_profile(self, retrieval_success_rate: float) -> SpeedProfile:
        seconds = self._times.seconds()
        n_asked = self._executed[Component.DECOMPOSER]
        return SpeedProfile(
            seconds={
                component.value: seconds[OF_COMPONENT[component]] / count
                for component, count in self._executed.items()
            },
            tokens={
                component.value: total / self._executed[component]
                for component, total in self._tokens.items()
            },
            repeated_share=self._n_repeated / n_asked if n_asked else 0.0,
            retrieval_success_rate=retrieval_success_rate,
        )

    def _timed(
        self,
        execute: Callable[[Sequence[RequestType]], list[ResponseType]],
        requests: Sequence[RequestType],
    ) -> list[ResponseType]:
        if self._left_s < 0:
            raise _TimeIsUp
        started = time.perf_counter()
        responses = execute(requests)
        seconds = time.perf_counter() - started
        self._left_s -= seconds
        self._times.share_out(seconds, requests, responses)
        self._executed.update(request.component for request in requests if request.component)
        return responses


def _is_repeated(sub_question: str, prompt: str) -> bool:
    """Whether the decomposer asks what its prompt says was asked, or nothing."""
    return " ".join(sub_question.casefold().split()) in " ".join(prompt.casefold().split())


def stored_profile(cache_path: Path, identity: str) -> SpeedProfile | None:
    """The profile of a model that was measured on this machine earlier."""
    stored = _stored(cache_path).get(_key(identity))
    try:
        return SpeedProfile.model_validate(stored) if stored else None
    except ValidationError:
        return None


def store_profile(cache_path: Path, identity: str, speed_profile: SpeedProfile) -> None:
    """Keep a profile for later sweeps; a disk that refuses is logged: nothing depends on it."""
    path = cache_path / FILE
    content = {**_stored(cache_path), _key(identity): speed_profile.model_dump(mode="json")}
    try:
        write_atomically(path, json.dumps(content, indent=1))
    except OSError as error:
        logger.warning("%s: not kept (%s)", path, error)


def _stored(cache_path: Path) -> dict[str, object]:
    return {**_read(cache_path / EARLIER_FILE), **_read(cache_path / FILE)}


def _read(path: Path) -> dict[str, object]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _key(identity: str) -> str:
    return f"{model_digest(identity)} on {platform.node()}"
