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
_OF_FIELD = re.compile(
    r"support(?!ed value)|permitted|un(?:known|recognized|expected)|deprecated", re.IGNORECASE
)
_OF_VALUE = re.compile(
    r">=|<=|m(?:in|ax)imum|at (?:least|most)|(?:greater|less|more) than|below|above|between|"
    r"too (?:small|large|low|high|many|few)|exceed|out of range",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AcceptedFields:
    """Fields of a request that go under another name, or not at all.

    Without ``stop`` or ``max_tokens`` an answer is cut here; without ``temperature`` it is drawn as
    the server likes.
    """

    renamed: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def draws_greedily(self) -> bool:
        return "temperature" not in self.left_out

    @property
    def limits_tokens(self) -> bool:
        return "max_tokens" not in self.left_out

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
            if name == "max_tokens" and _refuses_value(refusal):
                continue
            if name in RENAMED and name not in self.renamed:
                return replace(self, renamed=self.renamed | {name})
            return replace(self, left_out=self.left_out | {name})
        return None


def _names(refusal: str, field: str) -> bool:
    names = (field, RENAMED[field]) if field in RENAMED else (field,)
    return any(re.search(rf"\b{name}\b", refusal) for name in names)


def _refuses_value(refusal: str) -> bool:
    """Whether a number is too small or too large, of a field that is taken."""
    return _OF_VALUE.search(refusal) is not None and _OF_FIELD.search(refusal) is None


ALL_FIELDS = AcceptedFields()
"""Of a server that takes every field under its own name."""
