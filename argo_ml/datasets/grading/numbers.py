"""Numbers in running text: signs, separators, scales; and what has digits and is no number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_LONGEST = 60
"""Characters of a number; longer runs of digits are texts."""

_CURRENCY = "$€£¥₹"
_BEFORE_DIGITS = f"+-.{_CURRENCY}"
_GROUPED = r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?(?!\d|,\d)"
_GROUPED_BY_SPACES = r"[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d+)?(?!\d| \d)"
_GROUPED_BY_APOSTROPHES = r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?(?!\d)"
_GROUPED_BY_DOTS = r"[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|(?:\.\d{3})+,\d+)(?!\d|\.\d)"
_DECIMAL_COMMA = r"\d+,\d+(?!\d|,\d)"
_PLAIN = r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3}(?!\w))?"

_NUMBER = re.compile(
    rf"(?:(?<![\w)%])(?P<sign>[-+]))?(?:(?P<currency>[{_CURRENCY}]) ?)?"
    rf"(?:(?P<grouped>{_GROUPED}|{_GROUPED_BY_SPACES}|{_GROUPED_BY_APOSTROPHES})"
    rf"|(?P<dotted>{_GROUPED_BY_DOTS})|(?P<comma>{_DECIMAL_COMMA})|(?P<plain>{_PLAIN}))"
)
_PART = r"\d+(?:[.,]\d+)*"
_COMPOUND = re.compile(rf"(?:{_PART}(?:[-:/^]-?{_PART})+|\d+(?:\.\d+){{2,}})(?!\d)")
_DOTTED = re.compile(_GROUPED_BY_DOTS)
_GROUPED_PART = re.compile(_GROUPED)
_LEADING_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
# A letter that is no unit belongs to the number: 3D, 5G, 12b; so do mixtures, and decades.
_GLUED = re.compile(
    r"(?!\d+(?:[eE]\d{1,3}|(?:[cdkm]?m|ft|in)[23])(?!\w))"
    r"(?:\d+(?:[abdeiopqruxyzABDEGIOPQRSUXYZ](?!\w)|[a-zA-Z]+\d\w*)|\d{3}0'?s(?!\w))"
)
_CODE = re.compile(r"0\d+(?![.,]?\d)")
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SHORT_SCALES = {"k": 3, "K": 3, "M": 6, "mn": 6, "bn": 9, "tn": 12}
_SHORT_SCALES_OF_MONEY = {**_SHORT_SCALES, "m": 6, "b": 9, "B": 9, "T": 12}
_SCALE_WORD = re.compile(r"[ -]?(thousand|million|billion|trillion)s?(?!\w)", re.IGNORECASE)
_SCALE_LETTERS = re.compile(r"(k|K|M|mn|bn|tn|m|b|B|T)(?!\w)")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)", re.IGNORECASE)
_MARKS = {
    "%": r"%|percent|per cent",
    "$": r"\$|(?:dollars?|usd)",
    "€": r"€|(?:euros?|eur)",
    "£": r"£|gbp",
    "¥": r"¥|(?:yen|jpy)",
    "₹": r"₹|(?:rupees?|inr)",
}
_MARK_AFTER = [
    (mark, re.compile(rf"[ -]?(?:{words})(?!\w)", re.IGNORECASE)) for mark, words in _MARKS.items()
]


@dataclass(frozen=True, slots=True)
class NumberText:
    """A stretch of text that begins with a number, and where it ends.

    ``value`` is None of what has digits and is compared as it is spelt: dates, times, versions,
    ranges, codes. ``mark`` is a currency or "%".
    """

    text: str
    end: int
    value: Fraction | None = None
    mark: str = ""


def number_at(text: str, start: int) -> NumberText | None:
    """The number that begins at ``start`` of a `readable` text, None where none does."""
    if not text[start].isdecimal() and text[start] not in _BEFORE_DIGITS:
        return None
    spelt = _compound_at(text, start) or _GLUED.match(text, start) or _CODE.match(text, start)
    if spelt:
        return NumberText(_canonical(spelt), spelt.end())
    match = _NUMBER.match(text, start)
    if match is None:
        return None
    if match.end() - start > _LONGEST:
        return NumberText(match[0], match.end())
    value, mark = _value(match), match["currency"] or ""
    scale, end = _scale_at(text, match.end(), mark)
    if not scale and (ordinal := _ORDINAL.match(text, end)):
        end = ordinal.end()
    if not mark:
        mark, end = _mark_at(text, end)
    value *= 10**scale
    return NumberText(_spelling(value), end, value, mark)


def _compound_at(text: str, start: int) -> re.Match[str] | None:
    match = _COMPOUND.match(text, start)
    grouped = _DOTTED.match(text, start)
    return None if match and grouped and grouped.end() >= match.end() else match


def _canonical(match: re.Match[str]) -> str:
    """Dates, times and ranges without zeros in front; codes, decades and such as they are."""
    if match.re is not _COMPOUND:
        return match[0].replace("'", "").casefold()
    whole = _GROUPED_PART.sub(lambda part: part[0].replace(",", ""), match[0])
    return _LEADING_ZEROS.sub("", whole)


def _value(match: re.Match[str]) -> Fraction:
    if match["grouped"]:
        body, _, decimals = match["grouped"].rpartition(",")
        # A comma may be the last separator of thousands or the decimal one.
        is_decimal = bool(body) and ("'" in body or " " in body)
        digits = f"{body}.{decimals}" if is_decimal else match["grouped"].replace(",", "")
        digits = digits.replace(" ", "").replace("'", "")
    elif match["dotted"]:
        digits = match["dotted"].replace(".", "").replace(",", ".")
    else:
        digits = (match["comma"] or match["plain"]).replace(",", ".")
    return Fraction(digits) * (-1 if match["sign"] == "-" else 1)


def _scale_at(text: str, start: int, currency: str) -> tuple[int, int]:
    """The power of ten that a word or letter at ``start`` says, and where it ends."""
    if word := _SCALE_WORD.match(text, start):
        return _SCALES[word[1].lower()], word.end()
    letters = _SCALE_LETTERS.match(text, start)
    known = _SHORT_SCALES_OF_MONEY if currency else _SHORT_SCALES
    if letters and letters[1] in known:
        return known[letters[1]], letters.end()
    return 0, start


def _mark_at(text: str, start: int) -> tuple[str, int]:
    for mark, pattern in _MARK_AFTER:
        if match := pattern.match(text, start):
            return mark, match.end()
    return "", start


def _spelling(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
