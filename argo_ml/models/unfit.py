"""Requests that a model does not take, although it takes others of the same list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from argo_ml.errors import ModelError
from argo_ml.models.base import InterruptedRequests, RequestType, ResponseType, UnfinishedError


class UnfitRequestError(ModelError):
    """A single request that the model does not take, whatever it makes of others.

    Its prompt is longer than the model's context, or a server refuses it for what it says.
    """


class SomeUnfitError(UnfinishedError):
    """Raised where some requests of a list are unfit and all others are answered.

    ``refused`` has the reasons by index in the list; the indices of ``finished`` are the rest.
    """

    def __init__(self, refused: Mapping[int, str], finished: Mapping[int, Any]) -> None:
        super().__init__(next(iter(refused.values())), finished)
        self.refused = refused

    def __reduce__(self) -> tuple[type[SomeUnfitError], tuple[Any, ...]]:
        return type(self), (self.refused, self.finished)


def beyond_context(needed: Sequence[int], context: int | None, unit: str) -> dict[int, str]:
    """Why requests that need so many tokens, or other units, do not fit, by index."""
    return {
        index: f"a prompt and its answer need {n} {unit}, the model takes {context}"
        for index, n in enumerate(needed)
        if context is not None and n > context
    }


def run_fitting(
    run: Callable[[list[int]], Sequence[ResponseType]], n_requests: int, refused: Mapping[int, str]
) -> list[ResponseType]:
    """Run the requests, given by index, that are not refused; raises `SomeUnfitError` for those.

    What ``run`` raises has the responses by their place among the requests that it was given.
    """
    fitting = [index for index in range(n_requests) if index not in refused]
    try:
        responses = run(fitting)
    except (UnfinishedError, InterruptedRequests) as error:
        error.finished = {fitting[at]: response for at, response in error.finished.items()}
        raise
    return all_or_unfit(dict(zip(fitting, responses, strict=True)), refused)


def answered_and_refused(
    execute: Callable[[Sequence[RequestType]], Sequence[ResponseType]],
    requests: Sequence[RequestType],
) -> tuple[dict[int, ResponseType], dict[int, str]]:
    """Responses and reasons of refusal by index, which together are of all requests."""
    try:
        return dict(zip(range(len(requests)), execute(requests), strict=True)), {}
    except SomeUnfitError as error:
        return {**error.finished}, {**error.refused}


def all_or_unfit(
    responses: Mapping[int, ResponseType], refused: Mapping[int, str]
) -> list[ResponseType]:
    """The responses in the order of their requests; raises `SomeUnfitError` if any is refused."""
    if refused:
        raise SomeUnfitError(refused, responses)
    return [responses[index] for index in sorted(responses)]
