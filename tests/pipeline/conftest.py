from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.pipeline.requests import (
    Embedding,
    Request,
    Requesting,
    Response,
    ResultType,
    Retrieval,
    Vector,
)
from argo_ml.types import Evidence, Passage, TokenDetail


def numbered(request: Retrieval) -> tuple[Evidence, ...]:
    passages = [Passage(f"p{rank}", f"text {rank} of {request.query}") for rank in range(3)]
    return tuple(Evidence(passage, 0.9 - 0.1 * rank) for rank, passage in enumerate(passages))


@dataclass
class World:
    """Answers requests one by one by three functions, and remembers them."""

    write: Callable[[Generation], str] = lambda request: "some text"
    weigh: Callable[[Scoring], tuple[float, ...]] = lambda request: (-1.0,) * len(request.choices)
    find: Callable[[Retrieval], tuple[Evidence, ...]] = numbered
    requests: list[Request] = field(default_factory=list)

    def run(self, requesting: Requesting[ResultType]) -> ResultType:
        try:
            request = next(requesting)
            while True:
                self.requests.append(request)
                request = requesting.send(self.respond(request))
        except StopIteration as stop:
            result: ResultType = stop.value
            return result

    def respond(self, request: Request) -> Response:
        if isinstance(request, Generation):
            text = self.write(request)
            tokens = (TokenDetail(text, -0.5, 0.7, 1.2),) if request.details else ()
            return Completion(text, 10, 2, 0.5, tokens=tokens)
        if isinstance(request, Embedding):
            return Vector((0.6, 0.8))
        if isinstance(request, Scoring):
            return Scores(self.weigh(request), (1,) * len(request.choices), 20, 0.25)
        return self.find(request)

    @property
    def generations(self) -> list[Generation]:
        return [request for request in self.requests if isinstance(request, Generation)]

    @property
    def scorings(self) -> list[Scoring]:
        return [request for request in self.requests if isinstance(request, Scoring)]

    @property
    def retrievals(self) -> list[Retrieval]:
        return [request for request in self.requests if isinstance(request, Retrieval)]


@pytest.fixture
def world() -> World:
    return World()
