"""How choices are answered, once it is known what the model can do."""

from __future__ import annotations

from typing import TypeVar

from argo_ml.config import AnsweringFields

SpecType = TypeVar("SpecType", bound=AnsweringFields)


def resolve_answering(spec: SpecType, can_score: bool) -> SpecType:
    """``spec`` as it can be carried out: by number where the model cannot score choices."""
    if spec.answering == "likelihood" and not can_score:
        return spec.model_copy(update={"answering": "number"})
    return spec
