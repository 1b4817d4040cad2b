"""How far something long is, and who receives it."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""Receives what is counted (such as `EPISODES`), how many are finished, and of how many."""

EPISODES = "episodes"
QUESTIONS = "questions"
"""The first of all, of which every episode is finished; they come by shards."""
PASSAGES = "passages"
EMBEDDED = "questions embedded"
TRIALS = "trials"
DECISIONS = "decisions"
MODEL_SECONDS = "model seconds"
"""Seconds of the model's estimated time that have passed: a better measure of what is left than
episodes, which end together."""
NOT_SHOWN = frozenset({QUESTIONS, MODEL_SECONDS})
"""What is reported for whoever has to know it."""


def ignore_progress(*counts: object) -> None:
    """The observer of a caller who wants none."""


def duration(seconds: float) -> str:
    """``seconds`` as ``41 s``, ``5 min 06 s`` or ``2 h 10 min``; in days from 48 hours on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
