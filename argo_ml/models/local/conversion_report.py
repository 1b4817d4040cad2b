"""What Transformers only logs of weights that it could not convert while it loaded them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from argo_ml.models.local.batching import says_out_of_memory

_ERROR_LINE = re.compile(r"[\w.]*(?:Error|Exception)\b")
"""How the last line of a traceback begins."""


@contextmanager
def conversion_errors_raised() -> Iterator[None]:
    """Give a failed conversion its own reason: quantising, or merging and expanding of experts.

    Transformers collects what those raise, memory that ran out among it, logs it as one report, and
    raises an error that refers to the report.
    """
    with _report_of("transformers.modeling_utils") as report:
        try:
            yield
        except RuntimeError as error:
            reason = _reason(report)
            if not reason:
                raise
            raise RuntimeError(reason) from error


def _reason(report: Sequence[str]) -> str:
    """The line that tells of memory that ran out, else the first that names an error."""
    lines = [line.strip() for text in report for line in text.splitlines()]
    of_memory = next((line for line in lines if says_out_of_memory(line)), "")
    return of_memory or next((line for line in lines if _ERROR_LINE.match(line)), "")


@contextmanager
def _report_of(name: str) -> Iterator[Sequence[str]]:
    """The warnings of a logger, which are shown nowhere meanwhile."""
    messages: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        messages.append(record.getMessage())
        return record.levelno > logging.WARNING

    library = logging.getLogger(name)
    level = library.level
    library.setLevel(logging.WARNING)
    library.addFilter(keep)
    try:
        yield messages
    finally:
        library.removeFilter(keep)
        library.setLevel(level)
