from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from argo_ml.calibration.building import ROOT, Explored, Visit, build_calibration
from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.record import Projection
from argo_ml.errors import ConfigError, DataError
from argo_ml.state import AnswerNow, Observations, State
from argo_ml.types import Action, Answer, Question, Step

pytestmark = pytest.mark.slow


STEP = Step("s", Action.RETRIEVE, "a", 0.25, 0.1)


def explored(
    number: int, vector: tuple[float, ...] = (), state: tuple[float, ...] = ()
) -> Explored:
    """A question that one retrieval makes right, and that looks sure only then."""
    question = Question(f"q{number}", f"What is {number}?", choices=("a", "b"), gold=(0,))
    unsure = AnswerNow(Answer("b", 1), (0.4, 0.6), hidden_state=state)
    sure = AnswerNow(Answer("a", 0), (0.9, 0.1), hidden_state=state)
    before = State(question, observations=Observations((unsure,), vector=vector))
    after = State(question, 0.25, (STEP,), Observations((unsure, sure), vector=vector))
    visits = {ROOT: Visit(before, False), ("retrieve",): Visit(after, number % 10 > 0)}
    return Explored(question, visits, {"none": False, "retrieve": number % 10 > 0})


def test_a_node_per_visit_with_p_hat_out_of_fold() -> None:
    calibration = build_calibration([explored(number) for number in range(60)], {}, {}, horizon=1)
    assert len(calibration.nodes) == 120
    by_depth = [
        [node.confidence for node in calibration.nodes if len(node.actions) == depth]
        for depth in (0, 1)
    ]
    assert max(by_depth[0]) < 0.3
    assert min(by_depth[1]) > 0.7


def test_a_calibration_of_an_earlier_version_reads_the_features_that_it_has() -> None:
    vectors = [(float(number % 7), float(number % 5), 1.0) for number in range(60)]
    made = [explored(number, vector) for number, vector in enumerate(vectors)]
    calibration = build_calibration(made, {}, {}, horizon=1)
    n_projections = len(calibration.projection.components)
    first, last = calibration.feature_names[:20], calibration.feature_names[-n_projections:]
    earlier = calibration.model_copy(update={"feature_names": (*first, *last)})
    state = made[3].visits[ROOT].state
    inputs, whole = earlier.inputs(state), calibration.inputs(state)
    assert inputs == (*whole[:20], *whole[-n_projections:])


def test_without_vectors_there_are_no_projections() -> None:
    calibration = build_calibration([explored(number) for number in range(60)], {}, {}, horizon=1)
    assert calibration.feature_names == tuple(FEATURES)
    # A live question has a vector nevertheless.
    state = explored(7, vector=(0.6, 0.8)).visits[ROOT].state
    assert 0 <= calibration.confidence(state) <= 1


def test_projections_are_of_the_centred_vector() -> None:
    projection = Projection(mean=(1.0, 2.0), components=((1.0, 0.0), (0.6, 0.8)))
    assert projection.project((2.0, 4.0)) == pytest.approx((1.0, 0.6 + 1.6))


def test_vectors_give_projections() -> None:
    vectors = [(float(number % 3), float(number % 2), 0.5) for number in range(60)]
    pairs = enumerate(vectors)
    calibration = build_calibration([explored(n, vector) for n, vector in pairs], {}, {}, horizon=1)
    assert calibration.feature_names[len(FEATURES) :] == (
        "projection_0",
        "projection_1",
        "projection_2",
    )
    assert len(calibration.nodes[0].features) == len(calibration.feature_names)


def test_few_questions_are_an_error_or_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match="n_questions=9: a calibration needs at least 10"):
        build_calibration([explored(number) for number in range(9)], {}, {}, horizon=1)
    build_calibration([explored(number) for number in range(20)], {}, {}, horizon=1)
    assert "between 0.00 and 0.16 (0.16 wide)" in caplog.text


def test_a_question_comes_back_as_a_policy_would_meet_it() -> None:
    source = explored(3, vector=(0.6, 0.8))
    calibration = build_calibration([source, *map(explored, range(20, 40))], {}, {}, horizon=1)
    state, before = calibration.questions[0].state(), source.visits[ROOT].state
    seen = state.observations
    assert replace(seen, vector=tuple(seen.vector)) == before.observations
    assert state.question.choices == before.question.choices


def with_states() -> list[Explored]:
    """Whether a retrieval helps shows in the model's state alone."""
    return [explored(number, state=(float(number % 10 > 0), 0.5, 0.25)) for number in range(60)]


def test_the_hidden_state_is_projected_and_kept_with_the_question() -> None:
    made = with_states()
    calibration = build_calibration(made, {}, {}, horizon=1)
    assert calibration.feature_names[len(FEATURES) :] == (
        "hidden_state_0",
        "hidden_state_1",
        "hidden_state_2",
    )
    assert calibration.optional_features == (0, 3)
    state = calibration.questions[3].state()
    assert state.observations.answer == made[3].visits[ROOT].state.observations.answer
    assert calibration.inputs(state) == calibration.nodes[6].features


def test_p_hat_reads_the_hidden_state_where_that_is_more_right() -> None:
    calibration = build_calibration(with_states(), {}, {}, horizon=1)
    after = [node for node in calibration.nodes if node.actions]
    assert max(node.confidence for node in after if not node.correct) < 0.5
    assert min(node.confidence for node in after if node.correct) > 0.8


def test_an_answer_without_the_hidden_state_that_is_read_is_refused() -> None:
    calibration = build_calibration(with_states(), {}, {}, horizon=1)
    with pytest.raises(ConfigError, match=r"^the calibration was made with hidden_states=true"):
        calibration.confidence(explored(3).visits[ROOT].state)


def test_without_hidden_states_a_calibration_has_the_digest_that_it_always_had() -> None:
    calibration = build_calibration([explored(number) for number in range(60)], {}, {}, horizon=1)
    stored = calibration.model_dump(mode="json")
    del stored["state_projection"]
    for question in stored["questions"]:
        del question["answer"]["hidden_state"]
    del stored["action_usage"], stored["metadata"]
    text = json.dumps(stored, separators=(",", ":"), ensure_ascii=False)
    assert calibration.digest == hashlib.sha256(text.encode()).hexdigest()[:16]
