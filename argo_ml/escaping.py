"""Text from data, for places that would take parts of it for something else."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]"
)
"""Controls, terminal escapes among them, but tabs and line ends; what turns the direction round."""
_MARKDOWN = re.compile(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def visible(text: str) -> str:
    r"""Text for a terminal or a log: a control character is shown as its code, such as \x1b."""
    return _INVISIBLE.sub(_code, text)


def markdown(text: str) -> str:
    """Text for a description: one line that shows as it is, with neither Markdown nor HTML."""
    plain = "".join(_HTML.get(character, character) for character in _MARKDOWN.sub(r"\\\1", text))
    # An address would become a link.
    return visible(" ".join(plain.split()).replace("://", ":\\//"))


def _code(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
