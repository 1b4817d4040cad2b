"""How many requests a backend works on at once, where that is more than one shard brings."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from argo_ml.models.base import LanguageModel


@runtime_checkable
class HasCapacity(Protocol):
    """A backend that gains from more requests at once, up to a number."""

    @property
    def requests_at_once(self) -> int | None:
        """None before it is known."""


def requests_at_once(model: LanguageModel) -> int:
    """At least 1; of a backend that says nothing, 1."""
    said = model.requests_at_once if isinstance(model, HasCapacity) else None
    return said or 1
