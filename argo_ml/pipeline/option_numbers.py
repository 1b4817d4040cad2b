"""Which option a reply names by its number."""

from __future__ import annotations

import re
import unicodedata

_OPEN = r"[\s(\[{*_\"'#`]*"
_NUMBER = r"(?<![\w.,/+-])(?P<number>\d+)(?:st|nd|rd|th)?(?![\w%°/]|[.,:]\d|-\w)"
_NOUN = r"(?:(?:options?|choices?|number|answers?|no\.|nr\.|#)\s*)?"
_RIGHT = r"(?:right|correct|best|true|proper|most likely|most plausible|most appropriate)"
_IS = r"(?:is|was|would be|should be|must be|has to be|seems to be|:|=|->|=>|→|-)"

_STATED = re.compile(
    rf"\b(?:answer|{_RIGHT}(?:\s+(?:one|option|choice|answer|number))?)\b(?!\s+(?:is|are)\s+not\b)"
    rf"[*_\"'`]*(?:\s*{_IS})*{_OPEN}(?:the\s+)?{_NOUN}{_OPEN}{_NUMBER}"
    rf"|\b(?:choose|chose|pick|picked|select|selected|go with|going with){_OPEN}(?:the\s+)?"
    rf"{_NOUN}{_OPEN}{_NUMBER.replace('number', 'picked')}"
    rf"|{_NUMBER.replace('number', 'called')}[\s)\]*_\"'`]*(?:option|choice|one)?\s*(?:is|as)\s+"
    rf"(?:clearly\s+|definitely\s+|probably\s+)?(?:the\s+)?(?:{_RIGHT}|answer)\b",
    re.IGNORECASE,
)
_LEADING = re.compile(
    rf"{_OPEN}(?:the\s+)?{_NOUN}{_OPEN}{_NUMBER}(?!\s*(?:of|out of|and|or|to|options|choices)\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:options?|choices?|number|is)\b{_OPEN}(?:the\s+)?{_NOUN}{_OPEN}{_NUMBER}", re.IGNORECASE
)
_ALONE = re.compile(_NUMBER, re.IGNORECASE)
_SEVERAL = re.compile(
    r"[)\]*_\"'`]*\s*(?:,|/|&|and|or|to|through|-)\s*(?:or\s+|and\s+)?"
    rf"(?:the\s+)?{_NOUN}{_OPEN}\d+(?!\w)",
    re.IGNORECASE,
)


def read_number(text: str, n_choices: int) -> int | None:
    """The 0-based index of the option that ``text`` names; None unless it names one that exists.

    What the reply states as its answer comes before a number that it begins with, then comes one
    that it calls an option, and then the last one. A number counts by itself only: 2.5, 50 % and
    -1 are none. Of "2 or 3" none is read.
    """
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    stated = [*_STATED.finditer(plain)]
    if stated:
        return _index(stated[-1], plain, n_choices)
    leading = _LEADING.match(plain)
    if leading:
        return _index(leading, plain, n_choices)
    for pattern in (_NAMED, _ALONE):
        if found := [*pattern.finditer(plain)]:
            return _index(found[-1], plain, n_choices, _earlier(found, plain))
    return None


def _earlier(found: list[re.Match[str]], text: str) -> bool:
    """Whether the last of some numbers is the second of an alternative, such as 2 or 3."""
    before = found[-2] if len(found) > 1 else None
    joined = before and _SEVERAL.match(text, before.end())
    return bool(joined and joined.end() >= found[-1].end())


def _index(
    match: re.Match[str], text: str, n_choices: int, is_alternative: bool = False
) -> int | None:
    groups = match.groupdict()
    number = next(int(value) for value in groups.values() if value is not None)
    several = is_alternative or (
        not groups.get("called") and _SEVERAL.match(text, match.end()) is not None
    )
    return number - 1 if not several and 1 <= number <= n_choices else None
