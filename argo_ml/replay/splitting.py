"""Which of the recorded questions calibrate, and which are tested on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from argo_ml.calibration.building import MIN_CALIBRATION_QUESTIONS
from argo_ml.config import ReplaySpec
from argo_ml.datasets.repeats import content_key
from argo_ml.errors import DataError
from argo_ml.randomness import derived_rng
from argo_ml.replay.common import Common, common_records
from argo_ml.replay.leaks import without_leaks
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.recorded import RecordedQuestion

CALIBRATION = "calibration"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """Questions to calibrate on, and others to test on."""

    calibration: tuple[RecordedQuestion, ...]
    test: tuple[RecordedQuestion, ...]

    @property
    def all(self) -> tuple[RecordedQuestion, ...]:
        return (*self.calibration, *self.test)

    @cached_property
    def common(self) -> Common:
        """What policies may look at."""
        return common_records(self.calibration, self.test)


def read_parts(spec: ReplaySpec) -> Parts:
    """The files decide, else the field ``split``, else a hash of each id and the seed.

    Raises `DataError` for a bad line, an id or a question that the user has put into both parts,
    and too few questions.
    """
    outcomes = read_outcomes(Path(spec.outcomes).expanduser(), "outcomes", spec.scorer)
    if spec.calibration_outcomes:
        path = Path(spec.calibration_outcomes).expanduser()
        parts = Parts(read_outcomes(path, "calibration_outcomes", spec.scorer), outcomes)
        _warn_of_splits(parts)
    else:
        parts = _parted(spec, outcomes)
    _check_size(spec, parts)
    _check(spec, parts)
    leaves_out = spec.repeated_questions == "leave_out"
    test = without_leaks(parts.calibration, parts.test, leaves_out)
    return _with_whole_confidences(Parts(parts.calibration, test))


def _warn_of_splits(parts: Parts) -> None:
    """Of two files each says what its lines are for, whatever their ``split``."""
    tested = [own for own in parts.test if own.split == CALIBRATION]
    calibrating = [own for own in parts.calibration if own.split not in ("", CALIBRATION)]
    for lines, use in ((tested, "tested on"), (calibrating, "calibrated on")):
        if lines:
            logger.warning(
                "%s: has split=%s and is %s all the same, and so are %d others: of two files the "
                "file decides",
                lines[0].place,
                lines[0].split,
                use,
                len(lines) - 1,
            )


def _parted(spec: ReplaySpec, outcomes: Sequence[RecordedQuestion]) -> Parts:
    if any(question.split for question in outcomes):
        for question in outcomes:
            if not question.split:
                raise DataError(
                    f"{question.place}: split is missing, which other lines have; give it to every "
                    "line, or to none"
                )
        chosen = [question.split == CALIBRATION for question in outcomes]
        if not any(chosen):
            raise DataError(
                f"outcomes={spec.outcomes}: no line has split={CALIBRATION}, all {len(outcomes)} "
                f"have {_listed({question.split for question in outcomes})}; give it to some, or "
                "leave split out to calibrate on a share of them; argo-ml replay takes another "
                "file as calibration_outcomes, too"
            )
    else:
        chosen = drawn(outcomes, spec.calibration_share, spec.seed, "replay")
    pairs = list(zip(outcomes, chosen, strict=True))
    return Parts(
        tuple(question for question, calibrates in pairs if calibrates),
        tuple(question for question, calibrates in pairs if not calibrates),
    )


def _listed(splits: AbstractSet[str]) -> str:
    return " or ".join(sorted(splits))


def drawn(
    questions: Sequence[RecordedQuestion], share: float, seed: int, purpose: str
) -> list[bool]:
    """Whether each question is in a share drawn by id and seed.

    One that repeats an earlier one under another id goes where that goes.
    """
    chosen: dict[bytes, bool] = {}
    return [
        chosen.setdefault(
            content_key(own.question), derived_rng(seed, own.id, purpose).random() < share
        )
        for own in questions
    ]


def _check_size(spec: ReplaySpec, parts: Parts) -> None:
    """Raises `DataError` that says of which file too few lines calibrate, and what to do."""
    n = len(parts.calibration)
    if n >= MIN_CALIBRATION_QUESTIONS:
        return
    if spec.calibration_outcomes:
        calibrating, more = f"calibration_outcomes={spec.calibration_outcomes}: {n} lines", ""
    else:
        calibrating = f"outcomes={spec.outcomes}: {n} of its {len(parts.all)} lines"
        is_split = any(question.split for question in parts.all)
        more = f", or give more of them split={CALIBRATION}" if is_split else ""
        more = more or ", or raise calibration_share"
    raise DataError(
        f"{calibrating} calibrate, and at least {MIN_CALIBRATION_QUESTIONS} have to, better 300; "
        f"record more{more}"
    )


def _check(spec: ReplaySpec, parts: Parts) -> None:
    if not parts.test:
        is_split = any(question.split for question in parts.calibration)
        remedy = "give some of them split=test" if is_split else "lower calibration_share"
        raise DataError(
            f"outcomes={spec.outcomes}: all {len(parts.calibration)} lines calibrate, so that none "
            f"is left to test on; {remedy}, or record more"
        )
    calibrating = {question.id for question in parts.calibration}
    shared = [question for question in parts.test if question.id in calibrating]
    if shared:
        raise DataError(
            f"{shared[0].place}: id {shared[0].id!r} is among the calibration's, and so are "
            f"{len(shared) - 1} others; test on other questions"
        )


def _with_whole_confidences(parts: Parts) -> Parts:
    """Without recorded confidences unless every question has one."""
    lacking = [question for question in parts.all if question.confidence is None]
    if not lacking or len(lacking) == len(parts.all):
        return parts
    logger.warning(
        "%s: outcomes.none.confidence is missing, so that those of the other lines are left out "
        "and p-hat is fitted",
        lacking[0].place,
    )
    return Parts(
        *(
            tuple(replace(question, confidence=None) for question in part)
            for part in (parts.calibration, parts.test)
        )
    )
