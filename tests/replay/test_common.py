"""What only some answers have is looked at of none."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from builders.recorded_outcomes import choice_line, open_line, tree_line

from argo_ml.config import ReplaySpec
from argo_ml.replay.calibrating import ReplayState, make_replay_state
from argo_ml.replay.common import Common, Record
from argo_ml.replay.replaying import replay
from argo_ml.replay.splitting import read_parts
from argo_ml.state import State

MakeSpec = Callable[..., ReplaySpec]
Line = dict[str, Any]
SURE = {"logprob": -0.1, "entropy": 0.2, "margin": 0.9}
HITS = [{"text": "a passage", "similarity": 0.7}]
RETRIEVED = ("retrieve",)


def lines(begin: int, end: int, **retrieve: object) -> list[Line]:
    """Questions without choices, with fields of the answer after a retrieval."""
    made = [open_line(number) for number in range(begin, end)]
    for line in made:
        line["outcomes"]["retrieve"] |= retrieve
    return made


def met(
    make_spec: MakeSpec, test: Sequence[Line], calibrating: Sequence[Line]
) -> list[ReplayState]:
    """The first question of the test, then that of the calibration."""
    parts = read_parts(make_spec(test, calibrating))
    firsts = parts.test[0], parts.calibration[0]
    return [make_replay_state(first, parts.common, {}) for first in firsts]


def after_one(states: Sequence[ReplayState]) -> list[State]:
    return [state.after(RETRIEVED) for state in states]


def common(make_spec: MakeSpec, test: Sequence[Line], calibrating: Sequence[Line]) -> Common:
    return read_parts(make_spec(test, calibrating)).common


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_signals_after_a_retrieval_that_the_test_lacks_are_seen_of_no_answer(
    make_spec: MakeSpec,
) -> None:
    for state in after_one(met(make_spec, lines(10, 14), lines(0, 10, **SURE))):
        now = state.observations.answer
        assert now is not None and now.tokens == ()
    for state in after_one(met(make_spec, lines(10, 14, **SURE), lines(0, 10, **SURE))):
        now = state.observations.answer
        assert now is not None and [token.log_probability for token in now.tokens] == [-0.1]


def test_evidence_that_the_test_lacks_is_seen_of_no_answer(make_spec: MakeSpec) -> None:
    calibrating = lines(0, 10, evidence=HITS)
    for state in after_one(met(make_spec, lines(10, 14), calibrating)):
        assert state.steps[0].evidence == ()
    for test in (lines(10, 14, evidence=HITS), lines(10, 14, succeeded=False)):
        [tested, calibrated] = after_one(met(make_spec, test, calibrating))
        assert len(calibrated.steps[0].evidence) == 1
        assert tested.steps[0].succeeded == bool(tested.steps[0].evidence)
    assert common(make_spec, lines(10, 14, evidence=[]), calibrating).partial == {}


def test_passages_of_unknown_similarity_tell_their_text_alone(make_spec: MakeSpec) -> None:
    test = lines(10, 14, evidence=[{"text": "a passage"}])
    for state in after_one(met(make_spec, test, lines(0, 10, evidence=HITS))):
        [hit] = state.steps[0].evidence
        assert (hit.passage.text, hit.similarity) == ("a passage", 0.0)


def test_failures_count_where_both_parts_tell_of_them(make_spec: MakeSpec) -> None:
    calibrating = [*lines(0, 1, succeeded=False), *lines(1, 10, succeeded=True)]
    [_, failed] = after_one(met(make_spec, lines(10, 14), calibrating))
    assert failed.steps[0].succeeded
    [_, failed] = after_one(met(make_spec, lines(10, 14, succeeded=True), calibrating))
    assert not failed.steps[0].succeeded


def test_probabilities_that_some_choices_lack_are_seen_of_none(make_spec: MakeSpec) -> None:
    calibrating, test = (
        [choice_line(n) for n in numbers] for numbers in (range(10), range(10, 14))
    )
    assert common(make_spec, test, calibrating).partial == {}
    del test[1]["outcomes"]["none"]["probabilities"]
    for state in met(make_spec, test, calibrating):
        now = state.state.observations.answer
        assert now is not None and now.probabilities == ()


def test_answers_are_read_where_only_some_have_drafts(make_spec: MakeSpec) -> None:
    calibrating = [open_line(number, draft={"entropy": 2.0}) for number in range(10)]
    test = [open_line(number) for number in range(10, 14)]
    tested, calibrated = met(make_spec, test, calibrating)
    for state, line in ((tested, test[0]), (calibrated, calibrating[0])):
        draft = state.state.observations.draft
        assert draft is not None
        assert [token.entropy for token in draft.tokens] == [line["outcomes"]["none"]["entropy"]]


def test_nothing_is_left_out_of_parts_that_are_alike(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    trees = [tree_line(number) for number in range(14)]
    found = common(make_spec, trees[:4], trees[4:])
    assert (found.partial, sorted(found.means)) == ({}, ["entropy", "logprob", "margin"])
    assert found.shows("retrieve", Record.MEANS)
    mixed = [*lines(0, 7), *(choice_line(number) for number in range(7))]
    assert common(make_spec, mixed[:4], mixed[4:]).partial == {}
    assert warned(caplog) == []


def test_what_is_left_out_is_said_in_one_line_where_it_is_asked_for(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    spec = make_spec(
        lines(50, 60), lines(0, 50, evidence=HITS, **SURE), policies="never,margin_gate"
    )
    replay(spec)
    assert warned(caplog) == []
    replay(spec.model_copy(update={"policies": ("never", "tasr")}))
    [warning] = warned(caplog)
    assert "outcomes.jsonl: line 1: lacks what other lines have" in warning
    assert "(outcomes.retrieve: logprob, entropy, margin; outcomes.retrieve: evidence)" in warning


@pytest.mark.parametrize("sign", [1, -1])
def test_a_promise_is_kept_where_only_the_calibration_has_evidence(
    make_spec: MakeSpec, sign: int
) -> None:
    def line(number: int, is_recorded: bool) -> Line:
        """Of which two in three are right after a retrieval, as the similarity tells."""
        [made], draws = lines(number, number + 1), random.Random(number)
        is_right = draws.random() < 2 / 3
        outcome: Line = {"answer": f"thing-{number}", "correct": is_right}
        if is_recorded:
            similarity = 0.5 + (0.4 if is_right else -0.4) * sign
            outcome["evidence"] = [{"text": "a passage", "similarity": similarity}]
        made["outcomes"]["retrieve"] = outcome
        return made

    promised = {"guarantee": "error among answered <= 0.25", "delta": 0.1}
    given = {"policies": "margin_gate", "retrieval_costs": "0.1", **promised}
    test, calibrating = (
        [line(n, False) for n in range(150, 450)],
        [line(n, True) for n in range(150)],
    )
    [cell] = replay(make_spec(test, calibrating, **given)).cells
    answered = [row.correct for row in cell.rows if row.stop_reason != "abstain"]
    assert len(answered) > 100
    assert answered.count(False) / len(answered) <= 0.25
    withheld = [row.correct for row in cell.rows if row.stop_reason == "abstain"]
    assert withheld
    assert not any(withheld)
