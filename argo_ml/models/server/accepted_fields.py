"""Which of our fields a chat server takes: some refuse what OpenAI's interface once had for all.

OpenAI's reasoning models want ``max_completion_tokens`` and no ``temperature``; strict servers
refuse fields that they do not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

RENAMED = {"max_tokens": "max_completion_tokens"}
_DISPENSABLE = ("seed", "top_p", "stop", "max_tokens", "temperature")
"""Those that may be left out; where a refusal names several, the first of these is."""


@dataclass(frozen=True, slots=True)
class AcceptedFields:
    """Fields of a request that go under another name, or not at all.

    Without ``stop`` an answer is cut here; without ``temperature`` it is drawn as the server likes.
    """

    renamed: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def draws_greedily(self) -> bool:
        return "temperature" not in self.left_out

    def of(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """``settings`` as this server takes them."""
        return {
            RENAMED[name] if name in self.renamed else name: value
            for name, value in settings.items()
            if name not in self.left_out
        }

    def describe(self) -> str:
        """Part of a model's identity; empty where the server takes all."""
        parts = [f"-without-{name}" for name in sorted(self.left_out)]
        return "".join([*parts, *(f"-with-{RENAMED[name]}" for name in sorted(self.renamed))])

    def without_refused(self, refusal: str) -> AcceptedFields | None:
        """The same without what ``refusal`` names; None where it names none of our fields."""
        for name in _DISPENSABLE:
            if name in self.left_out or not _names(refusal, name):
                continue
            if name in RENAMED and name not in self.renamed:
                return replace(self, renamed=self.renamed | {name})
            return replace(self, left_out=self.left_out | {name})
        return None


def _names(refusal: str, field: str) -> bool:
    names = (field, RENAMED[field]) if field in RENAMED else (field,)
    return any(re.search(rf"\b{name}\b", refusal) for name in names)


ALL_FIELDS = AcceptedFields()
"""Of a server that takes every field under its own name."""
