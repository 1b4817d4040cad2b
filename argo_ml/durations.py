"""Durations as people read them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Such as ``41 s``, ``5 min 06 s`` or ``2 h 10 min``; days from 48 hours on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
