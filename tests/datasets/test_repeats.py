"""Questions that are asked again under another id."""

from __future__ import annotations

from itertools import count

import pytest

from argo_ml.datasets.repeats import content_key, repeats_of_earlier_splits
from argo_ml.datasets.sampling import split_of
from argo_ml.types import Question


def named(split: str, text: str, choices: tuple[str, ...] = ()) -> Question:
    """A question whose id is of the split."""
    ids = (f"{text}-{number}" for number in count())
    return Question(next(name for name in ids if split_of(name) == split), text, ("a",), choices)


@pytest.mark.parametrize(
    ("text", "other", "is_same"),
    [
        ("Who wrote book 3?", " who  wrote 'book' 3", True),
        ("Who reigned 1990-1995?", "Who reigned 1990\u20131995?", True),
        ("Who wrote book 3?", "Who wrote book 4?", False),
        ("What is 3 + 4?", "What is 3 - 4?", False),
        ("What is 3*4?", "What is 3 / 4?", False),
        ("Who made C++?", "Who made C?", False),
        ("???", "!!!", False),
        ("\u0915\u093f \u0915\u094c\u0928?", "\u0915\u0940 \u0915\u0941\u0928?", False),
        ("Was ist Gr\u00f6\u00dfe?", "was ist Gro\u0308sse", True),
    ],
)
def test_case_punctuation_and_space_make_no_other_question(
    text: str, other: str, is_same: bool
) -> None:
    assert (content_key(Question("a", text)) == content_key(Question("b", other))) is is_same


def test_equal_questions_of_other_choices_are_others() -> None:
    first, turned, other = (
        content_key(Question("q", "Which?", choices=choices))
        for choices in (("red", "blue"), ("Blue", "red"), ("red", "green"))
    )
    assert first == turned != other


def test_a_question_of_two_splits_belongs_to_the_earlier() -> None:
    calibrating, tuned = named("calibration", "Who is it?"), named("tune", "who is it")
    tested, other = named("test", "WHO is it"), named("test", "Who else is it?")
    assert repeats_of_earlier_splits([tested, other, tuned, calibrating]) == {
        tuned.id: calibrating.id,
        tested.id: calibrating.id,
    }


def test_a_question_asked_twice_in_one_split_stays() -> None:
    assert repeats_of_earlier_splits([named("test", "Who?"), named("test", "who")]) == {}


def test_questions_of_one_text_are_compared_by_their_choices() -> None:
    questions = [named("tune", "Which?", ("a", "b")), named("test", "Which?", ("a", "c"))]
    assert repeats_of_earlier_splits(questions) == {}
