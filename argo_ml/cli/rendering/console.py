"""The terminal, or the file or pipe in its place."""

from __future__ import annotations

import os

from rich.console import Console

_WIDTH_ELSEWHERE = 100
"""Columns where there is no terminal to ask; rich would take 80."""


def console(stderr: bool = False) -> Console:
    """A console for plain text: brackets are no markup and numbers are not colored.

    It is made anew for each use, so that it always writes to the present stdout or stderr.
    """
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = _WIDTH_ELSEWHERE
    return made
