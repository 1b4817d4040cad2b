from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.datasets.sampling import in_split, questions_digest, sample, shuffle_choices, split_of
from argo_ml.types import Question

QUESTIONS = [Question(id=f"q{n}", text=f"Question {n}?", answers=("a",)) for n in range(1000)]


def test_splits_are_disjoint_and_near_their_shares() -> None:
    counts = Counter(split_of(question.id) for question in QUESTIONS)
    assert counts.keys() == {"calibration", "tune", "test"}
    assert 110 < counts["calibration"] < 190
    assert 110 < counts["tune"] < 190
    parts = [in_split(QUESTIONS, name) for name in counts]
    assert sum(map(len, parts)) == len({q.id for part in parts for q in part}) == 1000
    assert in_split(QUESTIONS, "all") == QUESTIONS


def test_split_of_an_id_never_changes() -> None:
    assert [split_of(f"q{n}") for n in (0, 9, 16)] == ["test", "test", "test"]


@given(st.integers(), st.integers(0, 60), st.integers(0, 60))
def test_small_sample_begins_a_larger_one(seed: int, n_small: int, n_more: int) -> None:
    larger = sample(QUESTIONS[:120], n_small + n_more, seed)
    assert sample(QUESTIONS[:120], n_small, seed) == larger[:n_small]


def test_sample_depends_on_the_seed_and_not_on_file_order() -> None:
    assert sample(QUESTIONS, 10, seed=1) == sample(QUESTIONS[::-1], 10, seed=1)
    assert sample(QUESTIONS, 10, seed=1) != sample(QUESTIONS, 10, seed=2)


@given(st.integers(), st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True), st.data())
def test_shuffle_keeps_texts_and_lets_gold_follow(
    seed: int, choices: list[str], data: st.DataObject
) -> None:
    gold = data.draw(st.sets(st.integers(0, len(choices) - 1), min_size=1))
    question = Question(id="q", text="?", choices=tuple(choices), gold=tuple(sorted(gold)))
    shuffled = shuffle_choices(question, seed)
    assert sorted(shuffled.choices) == sorted(choices)
    assert {shuffled.choices[i] for i in shuffled.gold} == {choices[i] for i in gold}


@pytest.mark.parametrize(
    "reference",
    [
        "Both 1 and 2",
        "Neither 1 nor 2.",
        "A and B only",
        "Options 1 & 2",
        "C) Both (a) and (b)",
        "1, 2 and 3",
        "Both option A and option B",
        "Both 2 and 3 are possible.",
    ],
)
def test_choices_that_speak_of_others_by_place_keep_their_order(reference: str) -> None:
    choices = ("Bearer release", "RLC re-establishment", "Handover", reference)
    questions = [Question(id=f"q{n}", text="?", choices=choices, gold=(3,)) for n in range(20)]
    assert [shuffle_choices(question, 42) for question in questions] == questions


@pytest.mark.parametrize(
    "choices",
    [
        ("one", "two", "three", "All of the above"),
        ("5 and 10 MHz", "1 and 2 bits", "Option 1", "2"),
        ("1 and 2", "2 and 3", "3 and 4", "1 and 4"),
        ("one", "two", "three", "7 and 8"),
    ],
)
def test_choices_that_only_have_numbers_are_shuffled(choices: tuple[str, ...]) -> None:
    questions = [Question(id=f"q{n}", text="?", choices=choices, gold=(3,)) for n in range(20)]
    assert len({shuffle_choices(question, 42).choices for question in questions}) > 5


def test_shuffle_spreads_gold_over_positions() -> None:
    questions = [
        Question(id=f"q{n}", text="?", choices=("a", "b", "c", "d"), gold=(1,)) for n in range(400)
    ]
    counts = Counter(shuffle_choices(question, 42).gold[0] for question in questions)
    assert all(70 < counts[position] < 130 for position in range(4))


def test_digest_sees_order_choices_and_gold() -> None:
    question = Question(id="q", text="?", choices=("a", "b"), gold=(0,))
    others = [
        Question(id="q", text="?", choices=("b", "a"), gold=(0,)),
        Question(id="q", text="?", choices=("a", "b"), gold=(1,)),
        Question(id="q", text="??", choices=("a", "b"), gold=(0,)),
    ]
    digests = {questions_digest([question]), *(questions_digest([other]) for other in others)}
    assert len(digests) == 4
    assert questions_digest(QUESTIONS) != questions_digest(QUESTIONS[::-1])
    assert len(questions_digest([])) == 64
