"""What an episode asks of the outside world, and what it gets back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from argo_ml.models.base import Completion, Generation, Scores, Scoring
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


Request = Generation | Scoring | Retrieval | Embedding
Response = Completion | Scores | Vector | tuple[Evidence, ...]

ResultType = TypeVar("ResultType")
Requesting = Generator[Request, Response, ResultType]
"""Sequential code that yields requests, receives their responses, and returns a result."""


def generated(request: Generation) -> Requesting[Completion]:
    response = yield request
    assert isinstance(response, Completion)
    return response


def scored(request: Scoring) -> Requesting[Scores]:
    response = yield request
    assert isinstance(response, Scores)
    return response


def retrieved(request: Retrieval) -> Requesting[tuple[Evidence, ...]]:
    response = yield request
    assert isinstance(response, tuple)
    return response


def embedded(request: Embedding) -> Requesting[Vector]:
    response = yield request
    assert isinstance(response, Vector)
    return response
