"""Names of the plans whose outcomes calibrations and files of outcomes hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

NONE = "none"
"""No step at all: the closed-book answer."""
ONCE = "retrieve"
"""One retrieval of the usual number of passages."""
MULTI = "multi"
"""Retrievals up to the horizon."""


def sized(top_k: int) -> str:
    """The name of the plan of one retrieval of ``top_k`` passages."""
    return f"{ONCE}_{top_k}"


_THEN = ">"
_SEQUENCE = re.compile(r"(retrieve|reason)(>(retrieve|reason))*")


def after(actions: Sequence[str]) -> str:
    """The name of the plan of these actions, one after the other: ``retrieve>reason``."""
    return _THEN.join(actions) or NONE


@lru_cache(maxsize=1_000)
def actions_of(plan: str) -> tuple[str, ...] | None:
    """The actions of a plan that is named by them; None for any other."""
    if plan == NONE:
        return ()
    return tuple(plan.split(_THEN)) if _SEQUENCE.fullmatch(plan) else None


SIZES = (1, 5)
"""Passages of the retrievals that `graded` chooses among."""
SIZED = tuple(map(sized, SIZES))
