"""A model that is loaded anew, placed with more room, when memory runs out in spite of halving."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import torch

from argo_ml.devices import torch_memory
from argo_ml.devices.base import GB
from argo_ml.errors import ModelError
from argo_ml.models.base import (
    Completion,
    Generation,
    InterruptedRequests,
    RequestType,
    ResponseType,
    Scores,
    Scoring,
    TokenCounts,
    UnfinishedError,
)
from argo_ml.models.local.batching import DoesNotFit
from argo_ml.models.local.transformers_model import TransformersModel
from argo_ml.models.placement.plan import PlacementPlan
from argo_ml.models.unfit import all_or_unfit, answered_and_refused

OnEvent = Callable[[str], None]
Load = Callable[[PlacementPlan, OnEvent], TransformersModel]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What is still known of a model that memory had no room for any more; it answers nothing."""

    identity: str
    batch_tokens: int
    requests_at_once: int

    @classmethod
    def of(cls, model: TransformersModel | Unloaded) -> Unloaded:
        return cls(model.identity, model.batch_tokens, model.requests_at_once)

    @property
    def tokens(self) -> TokenCounts:
        """None: those before are counted by whoever unloaded it."""
        return TokenCounts()

    def generate(self, requests: Sequence[Generation]) -> NoReturn:
        raise ModelError(self._why)

    def score(self, requests: Sequence[Scoring]) -> NoReturn:
        raise ModelError(self._why)

    def count_tokens(self, texts: Sequence[str]) -> NoReturn:
        raise ModelError(self._why)

    @property
    def _why(self) -> str:
        return f"{self.identity}: memory ran out, and it could not be loaded again"


Model = TransformersModel | Unloaded


class RecoveringModel:
    """Wraps what ``load`` makes of the first of ``plans`` that memory suffices for.

    ``load`` raises torch's `OutOfMemoryError` where the weights do not fit. Requests that were
    answered before memory ran out are not executed again. Raises `ModelError` once no plan is left,
    with the ``advice`` of that moment.
    """

    def __init__(
        self,
        name: str,
        load: Load,
        plans: Iterator[PlacementPlan],
        advice: Callable[[], str] = lambda: "use a smaller model",
    ) -> None:
        self._name = name
        self._load = load
        self._plans = plans
        self._advice = advice
        self._events: list[str] = []
        self._spent = TokenCounts()
        loaded = self._loaded()
        self._model: Model = loaded
        self.thinking_context = loaded.thinking_context

    @property
    def identity(self) -> str:
        return self._model.identity

    @property
    def loaded(self) -> Model:
        """The model as it is loaded now."""
        return self._model

    @property
    def tokens(self) -> TokenCounts:
        return self._spent + self._model.tokens

    @property
    def batch_tokens(self) -> int:
        """The limit of the model as it is loaded now."""
        return self._model.batch_tokens

    @property
    def gives_hidden_states(self) -> bool:
        return True

    @property
    def requests_at_once(self) -> int:
        return self._model.requests_at_once

    @property
    def events(self) -> Sequence[str]:
        """What was done when memory ran out, in order."""
        return tuple(self._events)

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return self._recovering(lambda model, batch: model.generate(batch), requests)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return self._recovering(lambda model, batch: model.score(batch), requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    def _recovering(
        self,
        run: Callable[[Model, Sequence[RequestType]], list[ResponseType]],
        requests: Sequence[RequestType],
    ) -> list[ResponseType]:
        answered: dict[int, ResponseType] = {}
        refused: dict[int, str] = {}
        waiting = list(range(len(requests)))
        while waiting:
            failure = None
            try:
                responses, unfit = answered_and_refused(
                    partial(run, self._model), [requests[index] for index in waiting]
                )
                answered.update({waiting[at]: response for at, response in responses.items()})
                refused.update({waiting[at]: why for at, why in unfit.items()})
            except DoesNotFit as error:
                answered.update({waiting[at]: response for at, response in error.finished.items()})
                failure = str(error)
            except InterruptedRequests as error:
                answered.update({waiting[at]: response for at, response in error.finished.items()})
                raise InterruptedRequests(answered, error.n_under_way) from None
            if failure is not None:
                self._reload(failure, answered)
            waiting = [index for index in waiting if index not in {*answered, *refused}]
        return all_or_unfit(answered, refused)

    def _reload(self, failure: str, answered: Mapping[int, object]) -> None:
        """Outside the handler of the error, which holds the tensors of the batch."""
        self._spent += self._model.tokens
        identity = self._model.identity
        # Its memory is needed before it can be loaded again.
        self._model = Unloaded.of(self._model)
        try:
            self._model = self._loaded(failure)
        except ModelError as error:
            raise UnfinishedError(str(error), answered) from None
        # Calls of one model must not be taken for those of another.
        assert self._model.identity == identity

    def _loaded(self, failure: str = "") -> TransformersModel:
        for plan in self._plans:
            if failure:
                self._record(f"{failure.partition(';')[0]}; loading again {_described(plan)}")
            _release_memory()
            try:
                return self._load(plan, self._record)
            except torch.OutOfMemoryError:
                failure = "out of memory while loading"
        what = failure.partition(";")[0] or "does not fit"
        # The advice goes by what is free without this model.
        _release_memory()
        raise ModelError(f"model={self._name}: {what}; {self._advice()}")

    def _record(self, event: str) -> None:
        logger.warning(event)
        self._events.append(event)


def _described(plan: PlacementPlan) -> str:
    if not plan.uses:
        return "on the CPU"
    limits = ", ".join(f"{use.limit_bytes // GB} GB of GPU {use.device.index}" for use in plan.uses)
    return f"with at most {limits}"


def _release_memory() -> None:
    gc.collect()
    torch_memory.release()
