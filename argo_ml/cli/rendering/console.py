"""The terminal, or the file or pipe in its place."""

from __future__ import annotations

import os
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from argo_ml.addresses import redacted
from argo_ml.escaping import visible

_WIDTH_ELSEWHERE = 100
"""Columns where there is no terminal to ask; rich would take 80."""


class _PlainConsole(Console):
    """Text may come from documents, questions and models: it cannot steer the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(redacted(segment.text)), segment.style)


def console(stderr: bool = False) -> Console:
    """A console for plain text: brackets are no markup and numbers are not colored.

    It is made anew for each use, so that it always writes to the present stdout or stderr.
    """
    made = _PlainConsole(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = _WIDTH_ELSEWHERE
    return made
