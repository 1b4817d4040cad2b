"""Names of the plans whose outcomes calibrations and files of outcomes hold."""

from __future__ import annotations

NONE = "none"
"""No step at all: the closed-book answer."""
ONCE = "retrieve"
"""One retrieval of the usual number of passages."""
MULTI = "multi"
"""Retrievals up to the horizon."""


def sized(top_k: int) -> str:
    """The name of the plan of one retrieval of ``top_k`` passages."""
    return f"{ONCE}_{top_k}"


SIZES = (1, 5)
"""Passages of the retrievals that `graded` chooses among."""
SIZED = tuple(map(sized, SIZES))
