import pytest

from argo_ml.calibration.record import CalibrationQuestion
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Observations, Probe, State
from argo_ml.policies.gates.skr_knn import Neighbors, cosines, skr_knn, unit_rows
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Question

SOLUTION = solve(MDPSpec(retrieval_cost=0.1))
HELPED = {"none": False, "retrieve": True}
HARMED = {"none": True, "retrieve": False}
SAME = {"none": True, "retrieve": True}
EAST, NORTH, NORTH_EAST = (1.0, 0.0), (0.0, 3.0), (2.0, 2.0)


def at(*vector: float) -> State:
    return State(Question(id="q", text="What?"), observations=Observations(vector=vector))


def question(outcomes: dict[str, bool], *vector: float) -> CalibrationQuestion:
    return seen_question(outcomes, vector=vector)


def test_nearness_is_the_cosine_whatever_the_lengths() -> None:
    found = cosines([EAST, (0.0, 0.0)], unit_rows([EAST, NORTH, NORTH_EAST]))
    assert found[0] == pytest.approx([1.0, 0.0, 0.5**0.5])
    assert found[1] == pytest.approx([0.0, 0.0, 0.0])


def test_score_is_the_share_of_the_nearest_that_retrieval_helped() -> None:
    signal = Neighbors((EAST, NORTH, NORTH_EAST), (True, False, True), n_neighbors=2)
    assert signal.required_probes(Question(id="q", text="What?")) == {Probe.VECTOR}
    assert signal.read(at(5.0, 1.0)).score == 1.0
    assert signal.read(at(1.0, 5.0)).score == 0.5


def test_fewer_questions_than_neighbors_all_count() -> None:
    signal = Neighbors((EAST, NORTH, NORTH_EAST), (True, False, True), n_neighbors=10)
    assert signal.read(at(1.0, 5.0)).score == pytest.approx(2 / 3)


def test_of_equally_near_ones_the_first_count() -> None:
    signal = Neighbors((EAST, EAST, EAST), (True, False, False), n_neighbors=1)
    assert signal.read(at(1.0, 0.0)).score == 1.0


def test_a_question_is_no_neighbor_of_itself() -> None:
    signal = Neighbors((EAST, (1.0, 0.1), NORTH), (True, False, False), n_neighbors=1)
    assert signal.leaving_out() == [0.0, 1.0, 0.0]
    many = Neighbors((EAST, (1.0, 0.1), NORTH), (True, False, False), n_neighbors=10)
    assert many.leaving_out() == [0.0, 0.5, 0.5]


def test_questions_that_retrieval_did_not_change_are_left_out() -> None:
    questions = [
        question(HELPED, *EAST),
        question(SAME, *NORTH_EAST),
        question(HARMED, *NORTH),
        question(SAME, *EAST),
    ]
    gate = skr_knn(PolicyContext(SOLUTION, calibration=recorded_calibration(questions)))
    assert isinstance(gate.signal, Neighbors)
    assert [tuple(vector) for vector in gate.signal.vectors] == [EAST, NORTH]
    assert gate.signal.helped == (True, False)


def test_retrieves_near_those_that_retrieval_helped() -> None:
    helped = [question(HELPED, 1.0, 0.01 * n) for n in range(8)]
    harmed = [question(HARMED, 0.01 * n, 1.0) for n in range(8)]
    gate = skr_knn(PolicyContext(SOLUTION, calibration=recorded_calibration([*helped, *harmed])))
    # On the line from -1 where none of the nearest was helped to 1 where all were.
    assert gate.threshold == pytest.approx(0.5 + 0.1 / 2)
    assert gate.signal.read(at(1.0, 0.2)).score == 1.0
    assert gate.signal.read(at(0.2, 1.0)).score == 0.0


def test_without_any_change_nothing_speaks_for_retrieval() -> None:
    calibration = recorded_calibration([question(SAME, *EAST), question(SAME, *NORTH)])
    gate = skr_knn(PolicyContext(SOLUTION, calibration=calibration))
    assert gate.signal.read(at(1.0, 1.0)).score == 0.0
    assert gate.threshold > 0.0
