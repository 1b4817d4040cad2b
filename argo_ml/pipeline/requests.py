"""What an episode asks of the outside world, and what it gets back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.models.unfit import UnfitRequestError
from argo_ml.types import Evidence


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A request for the ``top_k`` passages most similar to a query."""

    query: str
    top_k: int


@dataclass(frozen=True, slots=True)
class Embedding:
    """A request for the vector of a text, embedded as queries are."""

    text: str


@dataclass(frozen=True, slots=True)
class Vector:
    """The vector of a text, of unit length."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request that the model does not take, and why."""

    reason: str


Request = Generation | Scoring | Retrieval | Embedding
Response = Completion | Scores | Refusal | Vector | tuple[Evidence, ...]

ResultType = TypeVar("ResultType")
Requesting = Generator[Request, Response, ResultType]
"""Sequential code that yields requests, receives their responses, and returns a result."""


def generated(request: Generation) -> Requesting[Completion]:
    """Raises `UnfitRequestError`, which names the component that asked."""
    response = yield request
    if isinstance(response, Refusal):
        raise _unfit(request, response)
    assert isinstance(response, Completion)
    return response


def scored(request: Scoring) -> Requesting[Scores]:
    """Raises `UnfitRequestError`, which names the component that asked."""
    response = yield request
    if isinstance(response, Refusal):
        raise _unfit(request, response)
    assert isinstance(response, Scores)
    return response


def _unfit(request: Generation | Scoring, refusal: Refusal) -> UnfitRequestError:
    asker = f"{request.component.value}: " if request.component else ""
    return UnfitRequestError(asker + refusal.reason)


def retrieved(request: Retrieval) -> Requesting[tuple[Evidence, ...]]:
    response = yield request
    assert isinstance(response, tuple)
    return response


def embedded(request: Embedding) -> Requesting[Vector]:
    response = yield request
    assert isinstance(response, Vector)
    return response
