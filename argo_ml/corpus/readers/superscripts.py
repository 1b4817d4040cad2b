"""Raised text kept apart from what it stands on: 10<sup>8</sup> is no 108."""

from __future__ import annotations

import re
from collections.abc import Sequence

_RAISED = re.compile(r"[-+\u2212\u2013]?(?:\d|(?![adeo])[a-z]\b)")
"""A number, or one letter that ends no ordinal number such as 2d."""

_BASE = re.compile(r"[\d)]")
_FOOTNOTED = re.compile(r"[^\W\d_]{4}|.*[.,;:!?%\"'\u2019\u201d\u00bb]", re.DOTALL)
"""A word, which a unit of measurement is too short for, or the end of a sentence or quotation."""

_SEEN = 4
"""Characters, in as many of the parts before, that decide."""


def mark_before_raised(before: Sequence[str], raised: str) -> str:
    """What stands between the parts of a text and the raised one that follows, as graders read
    superscript digits: ``^`` after a number, a space after a word that it is a footnote of."""
    end = "".join(before[-_SEEN:])[-_SEEN:]
    if not end or not _RAISED.match(raised):
        return ""
    if _BASE.match(end[-1]):
        return "^"
    return " " if _FOOTNOTED.fullmatch(end) else ""
