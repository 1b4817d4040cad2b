"""What is known already of one question's episodes, by what happened in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from argo_ml.models.base import Completion
from argo_ml.pipeline.components import FinalAnswer, SubAnswer, SubQuestion
from argo_ml.types import Evidence


@dataclass(slots=True)
class Known:
    """A point of a question's history, and what any episode that comes to it would find.

    Texts depend on the question, the components and the history alone, not on prices, progress or
    the policy, so that episodes which differ in those can share it: what is filled in need not be
    requested again. ``hits`` are a retrieval's by query and ``top_k``; ``read`` and
    ``after_reading`` go by the ids of the passages that were used. ``detailed`` is the final answer
    with its tokens.
    """

    sub_question: SubQuestion | None = None
    reasoned: SubAnswer | None = None
    hits: dict[tuple[str, int], tuple[Evidence, ...]] = field(default_factory=dict)
    read: dict[tuple[str, ...], SubAnswer] = field(default_factory=dict)
    final: FinalAnswer | None = None
    detailed: FinalAnswer | None = None
    tentative: Completion | None = None
    draft: Completion | None = None
    samples: tuple[Completion, ...] = ()
    vector: tuple[float, ...] | None = None
    _after_reasoning: Known | None = None
    _after_reading: dict[tuple[str, ...], Known] = field(default_factory=dict)

    def after_reasoning(self) -> Known:
        if self._after_reasoning is None:
            self._after_reasoning = Known()
        return self._after_reasoning

    def after_reading(self, passage_ids: tuple[str, ...]) -> Known:
        return self._after_reading.setdefault(passage_ids, Known())
