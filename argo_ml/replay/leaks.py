"""Questions that are tested on and have calibrated already, under another id."""

from __future__ import annotations

import logging
import operator
from collections.abc import Sequence
from itertools import compress

from argo_ml.datasets.repeats import content_key, plain_words
from argo_ml.errors import DataError
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.types import Question

_SMALL_WORDS = (
    "a an and are as at be by did do does for from had has have in is it of on or s that the this "
    "to was were will with"
)
"""Words that near-duplicates may differ by."""
logger = logging.getLogger(__name__)


def without_leaks(
    calibration: Sequence[RecordedQuestion], test: Sequence[RecordedQuestion], leave_out: bool
) -> tuple[RecordedQuestion, ...]:
    """The questions of ``test`` whose text does not calibrate.

    Two texts are equal whatever their case, punctuation and space; with choices these have to be
    the same as well. Raises `DataError` where some are and are not to be left out, or all are.
    Questions of the same words but small ones are counted in a warning.
    """
    calibrating = {content_key(recorded.question) for recorded in calibration}
    repeats = [content_key(recorded.question) in calibrating for recorded in test]
    leaked = list(compress(test, repeats))
    if leaked and not leave_out:
        raise DataError(
            f"{leaked[0].place}: its question is among the calibration's under another id, and so "
            f"are {len(leaked) - 1} others; record each question once, or leave them out of the "
            "test with repeated_questions=leave_out"
        )
    if len(leaked) == len(test):
        raise DataError(
            f"{leaked[0].place}: calibrates as well, and so do all that are tested on; test on "
            "other questions"
        )
    if leaked:
        logger.warning("%d questions are left out of the test: they calibrate", len(leaked))
    kept = tuple(compress(test, map(operator.not_, repeats)))
    _warn_of_alike(calibration, kept)
    return kept


def _warn_of_alike(
    calibration: Sequence[RecordedQuestion], test: Sequence[RecordedQuestion]
) -> None:
    calibrating = {_gist(recorded.question) for recorded in calibration}
    alike = [recorded for recorded in test if _gist(recorded.question) in calibrating]
    if alike:
        logger.warning(
            "%s: has the same words as a question of the calibration but for their order and small "
            "words, and so have %d others of those tested on; what is fitted may know them",
            alike[0].place,
            len(alike) - 1,
        )


def _gist(question: Question) -> tuple[object, ...]:
    words = set(plain_words(question.text).split()).difference(_SMALL_WORDS.split())
    return tuple(sorted(words)), tuple(sorted(map(plain_words, question.choices)))
