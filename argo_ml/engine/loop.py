"""The only loop of the project: it advances all live episodes together.

Each round collects the requests of the live episodes, drops those already answered, makes one
batched call per kind, hands the responses back, and retires the finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from argo_ml.corpus.base import Retriever
from argo_ml.engine.stages import RETRIEVE, StageTimes
from argo_ml.models.base import (
    Completion,
    Generation,
    LanguageModel,
    RequestType,
    ResponseType,
    Scores,
    Scoring,
)
from argo_ml.models.cache.caching import request_key
from argo_ml.models.unfit import answered_and_refused
from argo_ml.pipeline.requests import (
    Embedding,
    Refusal,
    Request,
    Requesting,
    Response,
    Retrieval,
    Vector,
)
from argo_ml.progress import ignore_progress
from argo_ml.state import Outcome


@dataclass(frozen=True, slots=True)
class Finished:
    """An outcome and the paid language-model calls that its episode was the first to need.

    Over all episodes ``paid_calls`` adds up to the calls that were executed.
    """

    outcome: Outcome
    paid: tuple[Generation | Scoring, ...] = ()

    @property
    def paid_calls(self) -> int:
        return len(self.paid)


class Engine:
    """Runs episodes against one model and one retriever; identical requests run once."""

    def __init__(
        self, model: LanguageModel, retriever: Retriever, times: StageTimes | None = None
    ) -> None:
        self._model = model
        self._retriever = retriever
        self._times = times or StageTimes()

    def key(self, request: Generation | Scoring) -> str:
        """The request's key in the cache of calls."""
        return request_key(self._model.identity, request)

    def run(
        self,
        episodes: Sequence[Requesting[Outcome]],
        on_progress: Callable[[int], None] = ignore_progress,
    ) -> list[Finished]:
        """Outcomes in the order of ``episodes``.

        ``on_progress`` is told after each round how many episodes have finished.
        """
        live = _Live(episodes)
        paid: list[list[Generation | Scoring]] = [[] for _ in episodes]
        answered: dict[Request, Response] = {}
        while live.requests:
            first_needing: dict[Request, int] = {}
            for index, request in live.requests.items():
                first_needing.setdefault(request, index)
            fresh = self._execute([request for request in first_needing if request not in answered])
            for request, response in fresh.items():
                if _is_paid(request, response):
                    paid[first_needing[request]].append(request)
            answered.update(fresh)
            for index, request in list(live.requests.items()):
                live.advance(index, answered[request])
            on_progress(len(live.outcomes))
        return [
            Finished(live.outcomes[index], tuple(paid[index])) for index in range(len(episodes))
        ]

    def _execute(self, pending: Sequence[Request]) -> dict[Request, Response]:
        generations = [request for request in pending if isinstance(request, Generation)]
        scorings = [request for request in pending if isinstance(request, Scoring)]
        retrievals = [request for request in pending if isinstance(request, Retrieval)]
        embeddings = [request for request in pending if isinstance(request, Embedding)]
        responses: dict[Request, Response] = {}
        if generations:
            responses.update(self._call_model(self._model.generate, generations))
        if scorings:
            responses.update(self._call_model(self._model.score, scorings))
        if retrievals:
            with self._times.timing(RETRIEVE):
                responses.update(self._retrieve(retrievals))
        if embeddings:
            with self._times.timing(RETRIEVE):
                responses.update(self._embed(embeddings))
        return responses

    def _call_model(
        self,
        execute: Callable[[Sequence[RequestType]], Sequence[ResponseType]],
        requests: Sequence[RequestType],
    ) -> dict[Request, Response]:
        started = time.perf_counter()
        finished, refused = answered_and_refused(execute, requests)
        served = [requests[index] for index in finished]
        self._times.share_out(time.perf_counter() - started, served, list(finished.values()))
        answered: dict[Request, Response] = {}
        answered.update(zip(served, finished.values(), strict=True))
        answered.update({requests[index]: Refusal(why) for index, why in refused.items()})
        return answered

    def _retrieve(self, requests: Sequence[Retrieval]) -> dict[Request, Response]:
        responses: dict[Request, Response] = {}
        for top_k in sorted({request.top_k for request in requests}):
            queries = [request.query for request in requests if request.top_k == top_k]
            evidence = self._retriever.retrieve(queries, top_k)
            for query, hits in zip(queries, evidence, strict=True):
                responses[Retrieval(query, top_k)] = hits
        return responses

    def _embed(self, requests: Sequence[Embedding]) -> dict[Request, Response]:
        rows = self._retriever.embed([request.text for request in requests])
        vectors = [Vector(tuple(map(float, row))) for row in rows]
        answered: dict[Request, Response] = {}
        answered.update(zip(requests, vectors, strict=True))
        return answered


def _is_paid(request: Request, response: Response) -> TypeGuard[Generation | Scoring]:
    return isinstance(response, (Completion, Scores)) and response.paid


class _Live:
    """The request each live episode waits for, and the outcomes of the finished, by index."""

    def __init__(self, episodes: Sequence[Requesting[Outcome]]) -> None:
        self._episodes = episodes
        self.requests: dict[int, Request] = {}
        self.outcomes: dict[int, Outcome] = {}
        for index in range(len(episodes)):
            self.advance(index, None)

    def advance(self, index: int, response: Response | None) -> None:
        """Hand a response to an episode, or start it with None."""
        try:
            # Sending None is how a generator is started; typing has no name for that.
            self.requests[index] = self._episodes[index].send(response)  # type: ignore[arg-type]
        except StopIteration as stop:
            self.requests.pop(index, None)
            self.outcomes[index] = stop.value
