"""What is known already of one question's episodes, by what happened in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from argo_ml.models.base import Completion
from argo_ml.pipeline.components import FinalAnswer, SubAnswer, SubQuestion
from argo_ml.pipeline.requests import Request, Requesting
from argo_ml.types import Evidence

ValueType = TypeVar("ValueType")


@dataclass(slots=True)
class Once(Generic[ValueType]):
    """What the first episode that comes to it asks for, and all others take.

    ``value`` is None until it is known; ``request`` is what is asked for it at the moment.
    """

    value: ValueType | None = None
    request: Request | None = None

    def get(self, asking: Requesting[ValueType]) -> Requesting[ValueType]:
        """The value, by ``asking`` where no other episode is just asking for it.

        Those that wait yield the same request, so that each can be answered by itself.
        """
        awaited = None
        while self.value is None and self.request is not None and self.request is not awaited:
            awaited = self.request
            yield awaited
        if self.value is None:
            # Nobody asks, or in vain: a request that was refused is refused to all.
            self.value = yield from self._asking(asking)
        return self.value

    def _asking(self, asking: Requesting[ValueType]) -> Requesting[ValueType]:
        try:
            self.request = next(asking)
            while True:
                self.request = asking.send((yield self.request))
        except StopIteration as stop:
            value: ValueType = stop.value
            return value
        finally:
            self.request = None


@dataclass(slots=True)
class Known:
    """A point of a question's history, and what any episode that comes to it would find.

    Texts depend on the question, the components and the history alone, not on prices, progress or
    the policy, so that episodes which differ in those can share it: what is filled in need not be
    requested again. ``hits`` are a retrieval's by query and ``top_k``; ``read`` and
    ``after_reading`` go by the ids of the passages that were used. ``detailed`` is the final answer
    with its tokens.
    """

    sub_question: Once[SubQuestion] = field(default_factory=Once)
    reasoned: Once[SubAnswer] = field(default_factory=Once)
    hits: defaultdict[tuple[str, int], Once[tuple[Evidence, ...]]] = field(
        default_factory=lambda: defaultdict(Once)
    )
    read: defaultdict[tuple[str, ...], Once[SubAnswer]] = field(
        default_factory=lambda: defaultdict(Once)
    )
    final: Once[FinalAnswer] = field(default_factory=Once)
    detailed: Once[FinalAnswer] = field(default_factory=Once)
    tentative: Once[Completion] = field(default_factory=Once)
    draft: Once[Completion] = field(default_factory=Once)
    samples: Once[tuple[Completion, ...]] = field(default_factory=Once)
    vector: Once[tuple[float, ...]] = field(default_factory=Once)
    _after_reasoning: Known | None = None
    _after_reading: dict[tuple[str, ...], Known] = field(default_factory=dict)

    def after_reasoning(self) -> Known:
        if self._after_reasoning is None:
            self._after_reasoning = Known()
        return self._after_reasoning

    def after_reading(self, passage_ids: tuple[str, ...]) -> Known:
        if passage_ids not in self._after_reading:
            self._after_reading[passage_ids] = Known()
        return self._after_reading[passage_ids]
