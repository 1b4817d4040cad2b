"""Questions that are asked again under another id, which their ids do not show."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain

from argo_ml.datasets.sampling import SPLIT_PERCENT, split_of
from argo_ml.letters import word_pattern
from argo_ml.types import Question

_DASHES = {ord(dash): "-" for dash in "\u2013\u2212"}
_SIGN = r"[+#]|(?<=\d)\s*[-*/^=<>%\u00d7\u00f7](?=\s*\d)"
"""Signs that make another question: of sums, and of names such as C++ and C#."""
_N_BYTES = 16


def plain_words(text: str) -> str:
    """The text without its case, punctuation and space; one of nothing else as it is."""
    lowered = unicodedata.normalize("NFC", text.casefold().translate(_DASHES))
    return " ".join(map(str.strip, _word().findall(lowered))) or text


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    return re.compile(f"{word_pattern()}|{_SIGN}")


def whole_content(question: Question) -> tuple[object, ...]:
    """What is asked and what answers it: lines of a source that agree in both are one question."""
    return question.text, question.choices, question.gold, question.answers


def content_key(question: Question) -> bytes:
    """A hash of the question's words and of those of its choices, in whatever order these are."""
    return _hashed(plain_words(question.text), *sorted(map(plain_words, question.choices)))


def repeats_of_earlier_splits(questions: Iterable[Question]) -> Mapping[str, str]:
    """By the id of a question that an earlier split asks as well, the id that it has there.

    The first split is that which calibrates, the last the one that is tested on.
    """
    repeats: dict[str, str] = {}
    splits = list(SPLIT_PERCENT)
    # Most texts are asked once, so that their choices need not be compared.
    by_text = _repeated(questions, lambda question: _hashed(plain_words(question.text)))
    for group in _repeated(chain.from_iterable(by_text), content_key):
        places = {question.id: splits.index(split_of(question.id)) for question in group}
        first = min(places, key=places.__getitem__)
        repeats |= {name: first for name, place in places.items() if place > places[first]}
    return repeats


def _repeated(
    questions: Iterable[Question], key: Callable[[Question], bytes]
) -> Iterator[list[Question]]:
    groups: defaultdict[bytes, list[Question]] = defaultdict(list)
    for question in questions:
        groups[key(question)].append(question)
    return (group for group in groups.values() if len(group) > 1)


def _hashed(*texts: str) -> bytes:
    content = "\x1f".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=_N_BYTES).digest()
