"""Which questions a calibration may be used to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from argo_ml.calibration.record import Calibration
from argo_ml.config import SweepSpec
from argo_ml.errors import ConfigError
from argo_ml.sweep.calibration_source import check_judged, open_calibration
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Question

SPEC = SweepSpec(calibration="made", dataset="jsonl", questions="file.jsonl", documents="d")
OTHER = Question("q9", "Who else?", ("b",))


def calibration(*questions: tuple[str, str]) -> Calibration:
    """Of questions by id and text."""
    return recorded_calibration(
        [
            seen_question({}, text=text).model_copy(update={"id": own_id})
            for own_id, text in questions
        ]
    )


def check(made: Calibration, asked: Sequence[Question], is_begun: bool = False) -> None:
    check_judged(made, SPEC, asked, is_begun)


def test_a_question_in_the_same_words_is_refused_under_any_id() -> None:
    message = (
        r"split=test asks 1 questions in the same words as calibration=made under other ids, such "
        r"as q1, which is a1 there; leave them out of questions=file.jsonl, or make the calib"
    )
    with pytest.raises(ConfigError, match=message):
        check(calibration(("a1", "who wrote BOOK 3")), [Question("q1", "Who wrote book 3?"), OTHER])


@pytest.mark.parametrize("given", ["./cal/calibration.json", "cal/here", "calibration.json"])
def test_a_file_that_is_not_there_is_no_run(given: str) -> None:
    with pytest.raises(ConfigError, match=f"calibration={given}: no such file"):
        open_calibration(SweepSpec(calibration=given))


def test_an_id_that_calibrates_is_refused() -> None:
    with pytest.raises(ConfigError, match="shares 1 questions with calibration=made, such as q9"):
        check(calibration(("q9", "Who else wrote it?")), [OTHER])


def test_lines_of_two_files_are_the_same_where_their_questions_are() -> None:
    made = calibration(("line-3", "Who is it?"))
    check(made, [Question("line-3", "Who else is it?")])
    with pytest.raises(ConfigError, match=r"shares 1 questions with .*, such as line-3"):
        check(made, [Question("line-3", "who is it")])


def test_questions_of_other_choices_are_others() -> None:
    own = seen_question({}, text="Which?", choices=("red", "blue"))
    asked = Question("q1", "Which?", choices=("Blue", "Red"), gold=(0,))
    check(recorded_calibration([own]), [replace(asked, choices=("blue", "green"))])
    with pytest.raises(ConfigError, match="asks 1 questions in the same words"):
        check(recorded_calibration([own]), [asked])


def test_what_has_begun_goes_on_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    check(calibration(("a1", "who else")), [OTHER], is_begun=True)
    [warning] = caplog.messages
    assert "such as q9, which is a1 there; what is fitted may know them" in warning
