"""Who is told how far something long is."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Told what is counted (such as `EPISODES`), how many are finished, and of how many."""

EPISODES = "episodes"
PASSAGES = "passages"
TRIALS = "trials"
MODEL_SECONDS = "model seconds"
"""Of the model's foretold time; not shown, but a better measure of what is left than episodes,
which end together."""


def unobserved(*counts: object) -> None:
    """The observer of a caller who wants none."""
