from __future__ import annotations

from dataclasses import replace

import pytest

from argo_ml.calibration.features import FEATURES, features
from argo_ml.state import AnswerNow, Observations, State
from argo_ml.types import Action, Answer, Evidence, Passage, Question, Step

QUESTION = Question("q", "What is the capital of Peru?", choices=("Lima", "Paris"), gold=(0,))
PASSAGE = Passage("p", "The capital of Peru is lima, by the sea.")
RETRIEVED = Step(
    "s",
    Action.RETRIEVE,
    "Lima",
    0.25,
    0.1,
    evidence=(Evidence(PASSAGE, 0.8), Evidence(PASSAGE, 0.6)),
)
FAILED = Step("s", Action.RETRIEVE, "", 0.25, 0.1, succeeded=False)
REASONED = Step("s", Action.REASON, "Lima", 0.33, 0.02)
UNSURE = AnswerNow(Answer("Paris", 1), (0.4, 0.6))
SURE = AnswerNow(Answer("Lima", 0), (0.9, 0.1))


def value(name: str, state: State) -> float:
    return FEATURES[name](state)


def state_of(*pairs: tuple[Step, AnswerNow]) -> State:
    """The question after these steps, each with the answer that it led to."""
    steps = tuple(step for step, _ in pairs)
    answers = (UNSURE, *(answer for _, answer in pairs))
    return State(QUESTION, 0.0, steps, Observations(answers))


def test_before_any_step_there_is_neither_evidence_nor_change() -> None:
    state = state_of()
    for name in ("agreement", "change", "best_similarity", "answer_in_evidence", "n_steps"):
        assert value(name, state) == 0.0
    assert value("largest_probability", state) == 0.6


def test_a_retrieval_that_changes_the_answer() -> None:
    state = state_of((RETRIEVED, SURE))
    assert value("agreement", state) == 0.0
    assert value("change", state) == pytest.approx(0.5)
    assert value("best_similarity", state) == 0.8
    assert value("mean_similarity", state) == pytest.approx(0.7)
    assert value("answer_in_evidence", state) == 1.0
    assert (value("after_retrieve", state), value("after_reason", state)) == (1.0, 0.0)
    assert value("sureness_after_retrieve", state) == 0.9
    assert value("sureness_after_reason", state) == 0.0


def test_a_step_that_leaves_the_answer_agrees_with_it() -> None:
    assert value("agreement", state_of((REASONED, UNSURE))) == 1.0
    assert value("change", state_of((REASONED, UNSURE))) == 0.0


def test_evidence_mentions_a_choice_as_words_of_its_own() -> None:
    question = replace(QUESTION, text="In which period?", choices=("4", "6", ".pe", "Lima"))
    passage = Passage("p", "It was found in 1946, in period 6, by people of lima (.pe).")
    step = replace(RETRIEVED, evidence=(Evidence(passage, 0.8),))

    def seeing(choice: int) -> State:
        answers = (UNSURE, AnswerNow(Answer(question.choices[choice], choice), (0.25,) * 4))
        return State(question, 0.0, (step,), Observations(answers))

    assert [value("answer_in_evidence", seeing(number)) for number in range(4)] == [0, 1, 1, 1]
    assert value("others_in_evidence", seeing(0)) == 1.0
    assert value("others_in_evidence", seeing(1)) == pytest.approx(2 / 3)
    assert value("numeric_choices", seeing(0)) == 0.5


@pytest.mark.parametrize(("text", "choice", "mentioned"), [("1. Lima", 0, 1.0), ("2", 1, 0.0)])
def test_evidence_mentions_the_text_of_a_choice_that_was_named_by_its_number(
    text: str, choice: int, mentioned: float
) -> None:
    passage = Passage("p", "The 2 rivers of Lima.")
    step = replace(RETRIEVED, evidence=(Evidence(passage, 0.8),))
    answers = (UNSURE, AnswerNow(Answer(text, choice)))
    state = State(QUESTION, 0.0, (step,), Observations(answers))
    assert value("answer_in_evidence", state) == mentioned


@pytest.mark.parametrize(
    ("passage", "answer", "mentioned"),
    [
        ("中国的首都是北京。", "北京", 1.0),
        ("東京は日本の首都です", "東京", 1.0),
        ("กรุงเทพเป็นเมืองหลวง", "กรุงเทพ", 1.0),
        ("北京的人口在2020年约两千万", "2020", 1.0),
        ("中国的GDP增长", "gdp", 1.0),
        ("中国的首都是北京。", "上海", 0.0),
        ("始于1994年", "4", 0.0),
    ],
)
def test_evidence_of_scripts_without_spaces_mentions_an_answer_within_a_sentence(
    passage: str, answer: str, mentioned: float
) -> None:
    step = replace(RETRIEVED, evidence=(Evidence(Passage("p", passage), 0.8),))
    state = State(Question("q", "?"), 0.0, (step,), Observations((None, AnswerNow(Answer(answer)))))
    assert value("answer_in_evidence", state) == mentioned


def test_a_text_without_choices_has_no_others() -> None:
    question = Question("q", "Who?", answers=("Lima",))
    state = State(question, 0.0, (RETRIEVED,), Observations((None, AnswerNow(Answer("lima")))))
    assert value("answer_in_evidence", state) == 1.0
    assert (value("others_in_evidence", state), value("numeric_choices", state)) == (0.0, 0.0)


def test_counts_are_of_all_steps() -> None:
    state = state_of((RETRIEVED, SURE), (REASONED, SURE), (FAILED, SURE))
    names = ("n_steps", "n_retrieve", "n_reason", "n_failed")
    assert [value(name, state) for name in names] == [3, 2, 1, 1]


def test_texts_agree_but_for_case_and_white_space() -> None:
    first, second = AnswerNow(Answer("Lima ")), AnswerNow(Answer("lima"))
    state = State(QUESTION, 0.0, (REASONED,), Observations((first, second)))
    assert value("agreement", state) == 1.0
    changed = replace(state, observations=Observations((first, AnswerNow(Answer("Paris")))))
    assert value("agreement", changed) == 0.0


def test_all_features_are_numbers_in_a_fixed_order() -> None:
    values = features(state_of((RETRIEVED, SURE)))
    assert len(values) == len(FEATURES)
    assert values[0] == 0.9
    assert all(isinstance(value, float) for value in values)


def test_without_a_look_there_are_no_features() -> None:
    with pytest.raises(ValueError, match="question 'q': the answer was not looked at"):
        features(State(QUESTION))
