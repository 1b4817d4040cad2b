"""Decisions about answers that a caller has, without documents or model."""

from __future__ import annotations

from typing import Any

import pytest
from builders.policy_files import published

from argo_ml.config import CellSpec, build
from argo_ml.policies.base import Decision
from argo_ml.serving.deciding import LoadedPolicy, _described
from argo_ml.serving.priced import RequestPrice
from argo_ml.serving.published import PolicyFiles, StrategyRange
from argo_ml.serving.questions import RequestError, read_asked
from argo_ml.testing.calibrations import WORLDS
from argo_ml.types import Action, Expectation, StopReason


def loaded(strategy: str, **spec: Any) -> LoadedPolicy:
    values = {"strategy": strategy, "retrieval_cost": 0.1, **spec}
    files = PolicyFiles(published(values, StrategyRange(strategy=strategy)), WORLDS[0].calibration)
    return LoadedPolicy(files, build(CellSpec, {**values, "calibration": "a run"}))


def test_a_withheld_answer_is_not_one_to_give() -> None:
    priced = loaded("never").policies.at(RequestPrice(0.1))
    expected = Expectation(confidence=0.2)
    withheld = _described(Decision(Action.STOP, StopReason.ABSTAIN, expected=expected), priced)
    given = _described(Decision(Action.STOP, StopReason.POLICY, expected=expected), priced)

    assert (withheld.action, withheld.retrieve, withheld.p_hat) == ("abstain", False, 0.2)
    assert given.action == "stop"


def test_progress_that_is_measured_is_that_of_the_answer() -> None:
    policy, world = loaded("argo", progress="measured"), WORLDS[0]
    priced = policy.policies.at(RequestPrice(0.1))
    state = world.state(world.questions[0], ())

    measured = policy._measured(state, priced)

    p_hat = world.calibration.confidence(state)
    assert measured.progress == pytest.approx(priced.spec.u_max * p_hat)
    assert (
        loaded("argo")._measured(state, priced=loaded("argo").policies.at(RequestPrice(0.1)))
        == state
    )
    with pytest.raises(RequestError, match="decide_only needs answer and token_logprobs"):
        policy.decide("Why?")


def test_questions_without_an_id_draw_by_their_text() -> None:
    ids = [read_asked({"question": text}).as_question().id for text in ("Why?", "Why?", "Who?")]
    assert ids[0] == ids[1] != ids[2]
    assert read_asked({"question": "Why?", "question_id": "q"}).as_question().id == "q"
