"""Text as graders read it: one spelling of every character that has several."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from argo_ml.letters import is_unspaced

_APOSTROPHES = "\u2019\u2018\u02bc\u02b9\u2032\u00b4\u0060\uff07"
_HYPHENS = "\u2212\u2013\u2010\u2011\ufe63\uff0d"
_SPACES = "\u200b\u2028\u2029"
_SAME = str.maketrans(
    {
        **dict.fromkeys(_APOSTROPHES, "'"),
        **dict.fromkeys(_HYPHENS, "-"),
        **dict.fromkeys(_SPACES, " "),
        "\u2014": " - ",
        "\u066b": ".",  # Arabic decimal point and separator of thousands
        "\u066c": ",",
    }
)
_SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER = re.compile(rf"(?<=[\d)])⁻?[{_SUPERSCRIPT}]+")
_FOOTNOTE = re.compile(rf"(?<=[^\W\d_]{{4}})[{_SUPERSCRIPT}]+")
_FRACTION_AFTER_NUMBER = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_SPACED_RANGE = re.compile(r"(?<=\d) ([-/]) (?=\d)")
_POWER_OF_WORD = re.compile(r"(?<=[a-zA-Z])\^(?=\d)")
_MINUS_IN_WORDS = re.compile(r"(?<![\d)] )\b(?:minus|negative) (?=[$€£¥₹]?\.?\d)", re.IGNORECASE)
_NEXT_SENTENCE = re.compile(r"(?<=[a-z]{2})\.(?=[A-Z][a-z])")

LETTER, UNSPACED, DIGIT = "a", "c", "0"


@lru_cache(maxsize=1_000)
def readable(text: str) -> str:
    """``text`` in NFKC, with one apostrophe, one minus sign and ASCII digits.

    What NFKC would join stays apart: 10² is no 102, 1½ no 11/2.
    """
    text = _POWER.sub(lambda match: f"^{match[0]}", text.translate(_SAME))
    text = _FOOTNOTE.sub(" ", _FRACTION_AFTER_NUMBER.sub(" ", text))
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").translate(_SAME)
    text = "".join(map(_plain, text))
    text = _NEXT_SENTENCE.sub(". ", _SPACED_RANGE.sub(r"\1", text))
    return _MINUS_IN_WORDS.sub("-", _POWER_OF_WORD.sub("", text))


def folded(text: str) -> str:
    """``text`` without differences of case."""
    return unicodedata.normalize("NFKC", text.casefold()).replace("i\u0307", "i")


def shape(text: str) -> str:
    """``text`` with every letter, digit and letter of an unspaced script as one sign of its kind.

    It is as long as ``text``; what is none of these stays.
    """
    return "".join(map(_kind, text))


@lru_cache(maxsize=10_000)
def _plain(char: str) -> str:
    if char.isascii():
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    return "" if category in ("Cf", "Cc", "Cs") else char


@lru_cache(maxsize=10_000)
def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return DIGIT
    if category[0] not in "LM" and category not in ("Nl", "No"):
        return char
    return UNSPACED if is_unspaced(char) else LETTER
