"""The only loop of the project: it advances all live episodes together.

Each round collects the requests of the live episodes, drops those already answered, makes one
batched call per kind, hands the responses back, and retires the finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
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

    Over all episodes of a group ``paid_calls`` adds up to the calls that were executed for it.
    """

    outcome: Outcome
    paid: tuple[Generation | Scoring, ...] = ()

    @property
    def paid_calls(self) -> int:
        return len(self.paid)


class Engine:
    """Runs episodes against one model and one retriever; identical requests run once.

    ``kept_open`` is entered while episodes run: what model and retriever keep open meanwhile.
    """

    def __init__(
        self,
        model: LanguageModel,
        retriever: Retriever,
        times: StageTimes | None = None,
        kept_open: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._model = model
        self._retriever = retriever
        self._times = times or StageTimes()
        self._kept_open = kept_open

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
        [(_, finished)] = self.run_groups(
            [episodes], on_progress=lambda _, n_finished: on_progress(n_finished)
        )
        return finished

    def run_groups(
        self,
        groups: Iterable[Sequence[Requesting[Outcome]]],
        n_requests: Callable[[], int] = lambda: 1,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> Iterator[tuple[int, list[Finished]]]:
        """Yield the number and the outcomes of each group of episodes as it finishes.

        Where the live ones have fewer than ``n_requests`` to make, the next group joins their
        rounds, so that batches stay full; it is made when its turn comes. What a group finds and
        pays for is the same with others beside it. ``on_progress`` is told after each round how
        many episodes of a group have finished.
        """
        with self._kept_open():
            yield from self._run_groups(groups, n_requests, on_progress)

    def _run_groups(
        self,
        groups: Iterable[Sequence[Requesting[Outcome]]],
        n_requests: Callable[[], int],
        on_progress: Callable[[int, int], None],
    ) -> Iterator[tuple[int, list[Finished]]]:
        waiting = enumerate(groups)
        live: list[_Group] = []
        while True:
            room = max(1, n_requests()) - sum(group.n_requests for group in live)
            while room > 0 and (numbered := next(waiting, None)) is not None:
                live.append(_Group(*numbered))
                room -= max(1, live[-1].n_requests)
            if not live:
                return
            self._advance(live)
            for group in live:
                on_progress(group.number, len(group.live.outcomes))
            ended = [group for group in live if not group.live.requests]
            live = [group for group in live if group.live.requests]
            yield from ((group.number, group.finished()) for group in ended)

    def _advance(self, groups: Sequence[_Group]) -> None:
        """One round of all groups."""
        needing = [(group, group.unanswered()) for group in groups]
        fresh = self._execute(
            list(dict.fromkeys(chain.from_iterable(first for _, first in needing)))
        )
        for group, first in needing:
            for request, index in first.items():
                if _is_paid(request, fresh[request]):
                    group.paid[index].append(request)
        for group in groups:
            group.take(fresh)

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


class _Group:
    """Episodes that are told of together once all have finished."""

    def __init__(self, number: int, episodes: Sequence[Requesting[Outcome]]) -> None:
        self.number = number
        self.live = _Live(episodes)
        self.paid: list[list[Generation | Scoring]] = [[] for _ in episodes]
        self.answered: dict[Request, Response] = {}

    @property
    def n_requests(self) -> int:
        """Requests that it waits for, those of several episodes once."""
        return len(set(map(id, self.live.requests.values())))

    def unanswered(self) -> dict[Request, int]:
        """The requests whose responses are not known in this group, by who needs them first."""
        # Episodes that share a request have the same object, which is hashed once a round.
        first = {id(request): index for index, request in reversed(self.live.requests.items())}
        distinct = ((self.live.requests[index], index) for index in sorted(first.values()))
        needed: dict[Request, int] = {}
        for request, index in distinct:
            if request not in self.answered:
                needed.setdefault(request, index)
        return needed

    def take(self, fresh: Mapping[Request, Response]) -> None:
        """Hand every episode what it waits for, new or known in this group."""
        waiting = list(self.live.requests.items())
        responses: dict[int, Response] = {}
        for _, request in waiting:
            if id(request) not in responses:
                known = self.answered.get(request)
                response = fresh[request] if known is None else known
                self.answered[request] = responses[id(request)] = response
        for index, request in waiting:
            self.live.advance(index, responses[id(request)])

    def finished(self) -> list[Finished]:
        outcomes = self.live.outcomes
        return [Finished(outcomes[index], tuple(paid)) for index, paid in enumerate(self.paid)]


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
