"""Plans by segment: what is known of a question before anything is done."""

from __future__ import annotations

import hashlib
import random

from builders.sources import calibrated, explored

from argo_ml.calibration import Calibration
from argo_ml.calibration.building import Explored, build_calibration
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies.argo_segment import ArgoSegment, argo_segment
from argo_ml.policies.base import State, required_probes_of
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.segments import AskedKind, MetadataField
from argo_ml.types import Action, Question


def policy(calibration: Calibration, price: float) -> ArgoSegment:
    spec = MDPSpec(retrieval_cost=price, reason_cost=0.02)
    return argo_segment(PolicyContext(solve(spec), calibration=calibration))


def asked(source: str) -> State:
    return State(Question("new", "Who is new?", metadata={"source": source}))


def test_retrieves_in_the_segment_where_it_pays_and_asks_no_model() -> None:
    made = policy(calibrated(200, helps_wiki=0.6, helps_news=0.02), price=0.2)

    actions = [made.decide(asked(source), random.Random(0)).action for source in ("wiki", "news")]

    assert actions == [Action.RETRIEVE, Action.STOP]
    assert required_probes_of(made)(asked("wiki")) == frozenset()
    assert made.explained() == (
        "retrieve for questions with source=wiki. answer at once for all others"
    )


def test_question_of_a_segment_never_seen_has_the_plan_of_all() -> None:
    made = policy(calibrated(200, helps_wiki=0.6, helps_news=0.02), price=0.2)

    assert made.segment(asked("elsewhere")) == ()
    assert made.decide(asked("elsewhere"), random.Random(0)).action is Action.RETRIEVE


def test_segments_that_differ_by_chance_are_not_used() -> None:
    made = policy(calibrated(200, helps_wiki=0.3, helps_news=0.3), price=0.2)

    assert made.chain == ()
    assert made.explained() == "retrieve for all"


def test_gain_is_that_of_the_rest_of_the_plan() -> None:
    made = policy(calibrated(200, helps_wiki=1.0, helps_news=1.0), price=0.25)

    expected = made.decide(asked("wiki"), random.Random(0)).expected

    assert expected.gain == 0.75


def test_benchmark_grades_and_fields_of_many_values_part_nothing() -> None:
    calibration = calibrated(40, 0.5, 0.5)
    assert calibration.metadata[0] == {"source": "news"}
    made = [
        Explored(
            Question(
                f"q{n}", "Who?", metadata={"level": "easy" if n % 2 else "hard", "url": f"{n}"}
            ),
            explored(n, "Who?", "", False, False).visits,
        )
        for n in range(40)
    ]
    assert build_calibration(made, {}, {}, horizon=1).metadata == ()


def test_calibration_without_segments_has_the_digest_that_it_always_had() -> None:
    with_segments = calibrated(40, 0.5, 0.5)
    without = with_segments.model_copy(update={"metadata": ()})
    new = {
        **dict.fromkeys(("action_usage", "metadata", "state_projection"), True),
        "nodes": {"__all__": {"gold_probability"}},
        "questions": {"__all__": {"answer": {"hidden_state"}}},
    }
    text = without.model_dump_json(exclude=new)
    stored = Calibration.model_validate_json(text)

    assert stored.digest == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert stored.digest == without.digest != with_segments.digest


def test_segments_of_one_plan_are_named_by_the_level_above() -> None:
    benefits = {
        (): (0.0, 0.1),
        ("a",): (0.0, 0.3),
        ("a", "who"): (0.0, 0.3),
        ("a", "when"): (0.0, 0.4),
        ("b",): (0.0, 0.1),
        ("b", "who"): (0.0, 0.0),
        ("b", "when"): (0.0, 0.3),
        ("b", "why"): (0.0, 0.3),
    }
    chain = (MetadataField("source"), AskedKind())
    made = ArgoSegment(chain, ((), (Action.RETRIEVE,)), (0.0, 0.2), benefits)

    assert made.explained() == "answer at once for questions b who. retrieve for all others"
