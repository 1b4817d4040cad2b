"""Yes and no as what an answer says, not as words that stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from argo_ml.datasets.grading.characters import folded, readable


class Verdict(str, Enum):
    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


_OPPOSITE = {Verdict.YES: Verdict.NO, Verdict.NO: Verdict.YES, Verdict.MAYBE: Verdict.MAYBE}
_WORDS: Mapping[Verdict, str] = {
    Verdict.YES: "yes yeah yep да oui sí sim ja 是 是的 はい 예 네",
    Verdict.NO: "no nope нет non nein não 否 不是 いいえ 아니요 아니오",
    Verdict.MAYBE: "maybe",
}
_TRUTHS: Mapping[Verdict, str] = {Verdict.YES: "true", Verdict.NO: "false"}
_VERDICTS = {word: verdict for verdict, words in _WORDS.items() for word in words.split()}
_ALL = {**_VERDICTS, **{word: verdict for verdict, word in _TRUTHS.items()}}


def _any_of(words: Mapping[str, Verdict]) -> str:
    return rf"(?<!\w)(?:{'|'.join(sorted(words, key=len, reverse=True))})(?!\w)"


_WORD = _any_of(_ALL)
_SAID = rf"(?P<said>{_WORD})"
_ANSWERED = rf"(?P<said>{_any_of(_VERDICTS)})"
_CONTINUATIONS = (
    "it they he she this that these those there we you i because since as not the is are was were "
    "does did do can but and based according in for although though while if"
)
# After "no" a noun may come, which makes it no verdict: no answer, no longer, no one.
_ENDS = (
    r"(?=\s*(?:$|[.,;:!?)\n。、]|\s-\s)"
    rf"|\s+(?:{'|'.join(_CONTINUATIONS.split())})(?!\w))"
)
_CLOSES = r"(?=\s*(?:$|[.,;:!?)\n。、]|\s-\s))"
_ADVERBS = r"(?:(?:clearly|definitely|probably|likely|simply|therefore|thus|a)\s+)?"
_HEDGE = re.compile(rf"{_WORD}(?:,\s*{_WORD})*,?\s*(?:/|\bor\b)\s*{_WORD}")
_STATED = re.compile(
    r"(?:answer|verdict|conclusion|ответ|respuesta|réponse|antwort|答案)(?!\w)[^.\n]{0,40}?"
    rf"(?:\b(?:is|was|be|est|es|ist)\b|[:=])\s*{_ADVERBS}{_SAID}{_ENDS}"
)
# What there is none of where a question stays unanswered: "No information is given."
_UNANSWERED = (
    "answers?|information|info|ideas?|mentions?|data|details?|context|passages?|references?|records?"
    "|sources?|clues?|comments?|one|nobody|longer|more|doubt|wonder|matter|problem|such|way|need"
)
_LEADING = re.compile(
    rf"\W*(?:(?:well|so|hence|thus|therefore|answer|final answer)\b\W*)?(?:{_SAID}{_ENDS}"
    rf"|(?P<plain>(?<!\w)(?:yes|yeah|maybe|no(?!-|(?:\s+\w+){{0,2}}?\s+(?:{_UNANSWERED})(?!\w)))(?!\w)))"
)
_ENCLOSED = re.compile(rf"(?:[.,;:!?\n(。、]|\s-)\s*{_ANSWERED}{_CLOSES}")
_LAST = re.compile(rf"{_ANSWERED}\W*$")
_PREDICATE = re.compile(rf"\b(?:is|was|are|were|be)\s+(?P<negated>not\s+)?{_ADVERBS}{_SAID}{_ENDS}")
_EMPHASIS = str.maketrans("", "", '*_"“”«»#`')


@lru_cache(maxsize=1_000)
def verdict_of(gold: str) -> Verdict | None:
    """The verdict that a gold answer is; None where it says more than that, or something else."""
    return _ALL.get(_plain(gold).strip(" .!"))


def said_verdict(answer: str) -> Verdict | None:
    """The verdict that ``answer`` gives; None where it gives none.

    What it states as its answer counts first («The answer is no.»), then what it begins with
    («Yes, because»), what it says by the way («According to the text, no.») or at its end, and
    then whether it calls something true.
    """
    text = _HEDGE.sub(" ", _plain(answer))
    stated = [*_STATED.finditer(text)]
    if stated:
        return _ALL[stated[-1]["said"]]
    if leading := _LEADING.match(text):
        return _ALL[leading["said"] or leading["plain"]]
    for pattern in (_ENCLOSED, _LAST):
        if found := [*pattern.finditer(text)]:
            return _ALL[found[-1]["said"]]
    if predicates := [*_PREDICATE.finditer(text)]:
        said = _ALL[predicates[-1]["said"]]
        return _OPPOSITE[said] if predicates[-1]["negated"] else said
    return None


def _plain(text: str) -> str:
    return folded(readable(text).translate(_EMPHASIS)).strip()
