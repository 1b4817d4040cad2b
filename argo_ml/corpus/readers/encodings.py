"""Bytes as text: what a file says about itself comes before what can be guessed."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.corpus.readers.base import UnreadableError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_READ_AS: Mapping[str, str] = {
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "latin1": "cp1252",
    "tis-620": "cp874",
    "us-ascii": "cp1252",
    "windows-874": "cp874",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    # A declaration that can be read as ASCII stands in no file of these.
    "utf-16": "utf-8",
    "utf-16le": "utf-8",
    "utf-16be": "utf-8",
}
"""Declared -> the encoding that browsers read it as (encoding.spec.whatwg.org)."""

_WESTERN = "cp1252"
_MOST_FOREIGN_LETTERS = 0.5
"""Text in a Latin script has fewer bytes beyond ASCII among its letters."""

_MOST_ZEROS = 0.1
"""Share of the bytes of a text that is not UTF-16."""

_UTF16 = {"utf-16-be": 0, "utf-16-le": 1}
"""Encoding -> where the zeros of ASCII characters stand in it."""

_UNLIKELY = ("Cc", "Cn", "Co")
_MOST_UNLIKELY = 0.01
_JUDGED = 10_000
"""Characters that tell whether a text is UTF-16."""

_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text with plain line ends; ``guess`` names the encoding where nothing else told it."""

    text: str
    guess: str = ""


def decode(content: bytes, declared: str | None = None) -> Decoded:
    """Text by byte order mark, else as declared, else as UTF-8 if it is valid, else by a guess.

    Raises `UnreadableError` for what is no text.
    """
    decoded = (
        _by_mark(content) or _as_declared(content, declared) or _as_utf8(content) or _guess(content)
    )
    text = decoded.text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(text, decoded.guess)


def _by_mark(content: bytes) -> Decoded | None:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            body = content[len(mark) :]
            return _strictly(body, encoding) or _with_gaps(body, encoding)
    return None


def _as_declared(content: bytes, declared: str | None) -> Decoded | None:
    encoding = _READ_AS.get((declared or "").lower(), declared)
    if not encoding:
        return None
    try:
        decoded = _strictly(content, encoding)
        if decoded or encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            return decoded
        return _strictly(content, "utf-8") or _with_gaps(content, encoding)
    except LookupError:
        return None


def _as_utf8(content: bytes) -> Decoded | None:
    return None if _is_full_of_zeros(content) else _strictly(content, "utf-8")


def _is_full_of_zeros(content: bytes) -> bool:
    return content.count(0) > _MOST_ZEROS * len(content)


def _strictly(content: bytes, encoding: str) -> Decoded | None:
    try:
        return Decoded(content.decode(encoding))
    except UnicodeDecodeError:
        return None


def _with_gaps(content: bytes, encoding: str) -> Decoded:
    text = content.decode(encoding, "replace")
    return Decoded(text, f"{encoding} with {text.count(chr(0xFFFD))} unreadable characters")


def _guess(content: bytes) -> Decoded:
    if 0 in content:
        decoded = _as_utf16(content)
        if decoded:
            return decoded
        if _is_full_of_zeros(content):
            raise UnreadableError("not text")
        # They fill up a record, or are what a word processor left behind.
        content = content.replace(b"\0", b" ")
    damaged = _with_gaps(content, "utf-8")
    n_gaps = damaged.text.count("\ufffd")
    if sum(not char.isascii() for char in damaged.text) > 2 * n_gaps:
        return damaged
    encoding = _WESTERN if _is_latin(content) else _most_likely(content)
    decoded = _strictly(content, encoding) or _with_gaps(content, encoding)
    return Decoded(decoded.text, decoded.guess or encoding)


def _as_utf16(content: bytes) -> Decoded | None:
    """Zeros are halves of ASCII characters there; other bytes in pairs are characters that no text
    has, such as those between 2061 and 206f for a space and a letter."""
    n_zeros = {encoding: content[first::2].count(0) for encoding, first in _UTF16.items()}
    for encoding in sorted(n_zeros, key=n_zeros.__getitem__, reverse=True):
        decoded = _strictly(content, encoding)
        if decoded and _is_likely(decoded.text[:_JUDGED]):
            return Decoded(decoded.text, encoding)
    return None


def _is_likely(text: str) -> bool:
    return sum(map(_is_unlikely, text)) <= _MOST_UNLIKELY * len(text)


def _is_unlikely(char: str) -> bool:
    if "\u2061" <= char <= "\u206f":
        return True
    return unicodedata.category(char) in _UNLIKELY and not char.isspace()


def _is_latin(content: bytes) -> bool:
    """Whether accents stand within words of ASCII letters, as in no other script."""
    words = [word for word in _WORD.findall(content) if not word.isascii()]
    n_mixed = sum(any(byte < 0x80 for byte in word) for word in words)
    letters = b"".join(_WORD.findall(content))
    n_foreign = sum(byte >= 0x80 for byte in letters)
    return n_foreign < _MOST_FOREIGN_LETTERS * len(letters) and 2 * n_mixed >= len(words)


def _most_likely(content: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(content).best()
    return _WESTERN if best is None else best.encoding
