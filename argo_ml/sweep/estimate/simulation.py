"""A sweep's calls counted without making them: what the call cache lacks is made up."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from argo_ml.config import ContextSpec
from argo_ml.corpus.base import Retriever, Vectors
from argo_ml.engine import Engine
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.cache.ledger import Account, Begun
from argo_ml.models.cache.store import Entry, model_digest
from argo_ml.models.hidden_states import N_LAYERS, N_PROJECTIONS, HiddenState
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.estimate.speed_profile import SpeedProfile
from argo_ml.sweep.shards import ShardEpisodes
from argo_ml.types import Component, Evidence, Question

MADE_UP = "~"
"""Begins every made-up text."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of some questions under all cells.

    ``needed`` is what the cells would make alone, ``missing`` the distinct ones that the cache
    does not hold, by component; tokens are those of the missing ones.
    """

    needed: int = 0
    missing: Counter[Component] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Calls) -> Calls:
        return Calls(
            self.needed + other.needed,
            self.missing + other.missing,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def scaled(self, factor: float) -> Calls:
        """Those of ``factor`` times as many questions."""
        return Calls(
            round(self.needed * factor),
            Counter({component: round(n * factor) for component, n in self.missing.items()}),
            round(self.prompt_tokens * factor),
            round(self.completion_tokens * factor),
        )


def simulate(
    questions: Sequence[Question],
    cells: Sequence[Cell],
    context: LocalContext[ContextSpec],
    speed: SpeedProfile,
) -> Calls:
    """Run the cells on ``questions`` without executing any call.

    What the cache holds is as it will be. A made-up sub-question is a repetition, and its
    retrieval finds something, as often as was seen when the speed was measured.
    """
    stand_in = _StandIn(context.model, speed)
    model = CachingModel(stand_in, _Overlay(context.cache), billed_to="estimate")
    engine = Engine(model, _StandInRetriever(context.corpus.retriever, speed))
    shard = ShardEpisodes(questions, cells)
    finished = shard.in_order(engine.run(shard.episodes))
    outcomes = [episode.outcome for episode in finished]
    return Calls(
        needed=sum(outcome.usage.calls for outcome in outcomes),
        missing=stand_in.missing,
        prompt_tokens=stand_in.prompt_tokens,
        completion_tokens=stand_in.completion_tokens,
    )


class _Overlay(CallCache):
    """A cache whose additions nobody else sees."""

    def __init__(self, cache: CallCache) -> None:
        self._cache = cache
        self._added: dict[str, Entry] = {}

    def find(self, keys: Iterable[str], payer: str = "") -> dict[str, Entry]:
        listed = list(keys)
        here = {key: self._added[key] for key in listed if key in self._added}
        return {**self._cache.find((key for key in listed if key not in here), payer), **here}

    def begin(self, identity: str, payer: str, kind: str, n_calls: int) -> Begun:
        return Begun(Account(payer, model_digest(identity), kind), n_calls)

    def add(
        self, identity: str, entries: Sequence[Entry], begun: Begun | None = None
    ) -> dict[str, Entry]:
        added = {entry.key: entry for entry in entries}
        self._added.update(added)
        return added


@dataclass
class _StandIn:
    """Answers every prompt with a text that no other gets."""

    model: LanguageModel
    speed: SpeedProfile
    missing: Counter[Component] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def identity(self) -> str:
        return self.model.identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        self._count(requests)
        return [self._completion(request) for request in requests]

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        self._count(requests)
        return [_scores(request) for request in requests]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.model.count_tokens(texts)

    def _completion(self, request: Generation) -> Completion:
        n_tokens = self.speed.completion_tokens(request.component)
        self.completion_tokens += n_tokens
        is_repeated = _share(request.prompt, "repeat") < self.speed.repeated_share
        if request.component is Component.DECOMPOSER and is_repeated:
            # The question itself is then asked again.
            return Completion("", 0, n_tokens, 0.0)
        text = MADE_UP + _digest(request.prompt) + " word" * (n_tokens - 1)
        return Completion(text, 0, n_tokens, 0.0, hidden_state=_hidden_state(request))

    def _count(self, requests: Sequence[Generation | Scoring]) -> None:
        self.missing.update(request.component for request in requests if request.component)
        prompts = [request.prompt for request in requests]
        texts = [prompt.system + prompt.turn + prompt.prefix for prompt in prompts]
        self.prompt_tokens += sum(self.model.count_tokens(texts))


def _scores(request: Scoring) -> Scores:
    n_choices = len(request.choices)
    state = _hidden_state(request)
    return Scores((-1.0,) * n_choices, (1,) * n_choices, 0, 0.0, hidden_state=state)


def _hidden_state(request: Generation | Scoring) -> HiddenState:
    return (0.0,) * (N_LAYERS * N_PROJECTIONS) if request.hidden_state else ()


@dataclass(frozen=True)
class _StandInRetriever:
    """Answers a real query as the retriever does, a made-up one with earlier evidence."""

    retriever: Retriever
    speed: SpeedProfile
    seen: list[tuple[Evidence, ...]] = field(default_factory=list)

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        real = [query for query in queries if not query.startswith(MADE_UP)]
        evidence = self.retriever.retrieve(real, top_k) if real else []
        self.seen.extend(evidence)
        by_query = dict(zip(real, evidence, strict=True))
        return [by_query[query] if query in by_query else self._made_up(query) for query in queries]

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self.retriever.embed(queries)

    def _made_up(self, query: str) -> tuple[Evidence, ...]:
        if not self.seen or _share(query, "find") >= self.speed.retrieval_success_rate:
            return ()
        return self.seen[int(_share(query, "which") * len(self.seen))]


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def _share(content: object, purpose: str) -> float:
    """A number between 0 and 1, always the same for the same content and purpose."""
    return int(_digest((purpose, content)), 16) / 16**12
