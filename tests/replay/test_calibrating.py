"""States and calibrations of recorded questions."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders.recorded_outcomes import CHOICES, choice_line, open_line

from argo_ml.calibration.signals import draw_disagreement, entropy, largest_probability
from argo_ml.config import ReplaySpec
from argo_ml.policies.gates.base import root_confidences
from argo_ml.replay.calibrating import (
    RecordedCalibration,
    ReplayState,
    calibrate_on_records,
    make_replay_state,
)
from argo_ml.replay.splitting import read_parts
from argo_ml.results.text_signals import MEANS
from argo_ml.state import State
from argo_ml.types import Action, Step

MakeSpec = Callable[..., ReplaySpec]
ALL = frozenset(MEANS)


def met(make_spec: MakeSpec, lines: list[dict[str, Any]], n_tested: int = 2) -> list[ReplayState]:
    """Those to test on first."""
    parts = read_parts(make_spec(lines[:n_tested], lines[n_tested:]))
    return [make_replay_state(each, parts.common, {}) for each in (*parts.test, *parts.calibration)]


def calibration(found: list[ReplayState], n_tested: int = 2) -> RecordedCalibration:
    return calibrate_on_records(found[n_tested:], found[:n_tested], {})


def test_an_open_question_is_met_with_its_answer_draft_and_samples(make_spec: MakeSpec) -> None:
    draft = {"entropy": 2.0, "margin": 0.5}
    line = open_line(0, logprob=-0.5, draft=draft)
    others = [open_line(number, draft=draft) for number in range(1, 14)]
    state = met(make_spec, [line, *others])[0].state
    seen = state.observations.answer
    assert seen is not None and state.observations.draft is not None
    assert seen.answer.text == line["outcomes"]["none"]["answer"]
    assert largest_probability(seen) == math.exp(-0.5)
    assert entropy(seen) == line["outcomes"]["none"]["entropy"]
    assert [token.entropy for token in state.observations.draft.tokens] == [2.0]
    assert state.observations.samples == tuple(line["outcomes"]["none"]["samples"])


def test_choices_are_met_with_their_probabilities(make_spec: MakeSpec) -> None:
    line = choice_line(0)
    state = met(make_spec, [line, *(choice_line(number) for number in range(1, 14))])[0].state
    seen = state.observations.answer
    assert seen is not None and seen.answer.choice is not None
    assert list(seen.probabilities) == line["outcomes"]["none"]["probabilities"]
    assert seen.answer.text == CHOICES[seen.answer.choice]
    assert (seen.tokens, state.observations.draft) == ((), None)
    assert draw_disagreement(seen.probabilities) > 0


def test_a_written_choice_has_as_many_tokens_as_recorded(make_spec: MakeSpec) -> None:
    lines = [choice_line(number, logprob=-0.5, n_tokens=3) for number in range(14)]
    for line in lines:
        del line["outcomes"]["none"]["probabilities"]
    seen = met(make_spec, lines)[0].state.observations.answer
    assert seen is not None and len(seen.tokens) == 3


def test_outcomes_are_kept_by_plan(make_spec: MakeSpec) -> None:
    found = met(make_spec, [open_line(number) for number in range(14)])
    questions = calibration(found).questions
    assert len(questions) == 12
    for question, each in zip(questions, found[2:], strict=True):
        assert question.outcomes == {
            plan: outcome.correct for plan, outcome in each.recorded.outcomes.items()
        }
        seen = question.state().observations
        assert replace(seen, vector=tuple(seen.vector)) == each.state.observations


def test_p_hat_is_fitted_on_the_signals(make_spec: MakeSpec) -> None:
    found = met(make_spec, [open_line(number) for number in range(120)], n_tested=40)
    fitted = calibration(found, n_tested=40)
    assert fitted.recorded == {}
    by_confidence = sorted(found[:40], key=lambda each: fitted.confidence(each.state))
    n_right = [
        sum(each.recorded.outcomes["none"].correct for each in half)
        for half in (by_confidence[:20], by_confidence[20:])
    ]
    assert n_right[1] > n_right[0]
    plain = RecordedCalibration.__mro__[1]
    again = plain(**{name: getattr(fitted, name) for name in plain.model_fields})
    for each in found:
        assert fitted.confidence(each.state) == again.confidence(each.state)
        assert fitted.inputs(each.state) == again.inputs(each.state)


def test_p_hat_is_as_recorded_where_every_question_has_one(make_spec: MakeSpec) -> None:
    lines = [open_line(number, confidence=number / 20) for number in range(14)]
    found = met(make_spec, lines)
    fitted = calibration(found)
    assert [fitted.confidence(each.state) for each in found] == [n / 20 for n in range(14)]
    assert root_confidences(fitted) == [n / 20 for n in range(2, 14)]


def test_few_questions_are_warned_of(make_spec: MakeSpec, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        calibration(met(make_spec, [open_line(number) for number in range(14)]))
    assert "12 questions calibrate: accuracy without any step is only known to lie" in caplog.text


def test_nothing_is_known_of_later_steps(make_spec: MakeSpec) -> None:
    found = met(make_spec, [open_line(number) for number in range(14)])
    step = Step("s", Action.RETRIEVE, "a", 0.0, 0.0)
    later: State = replace(found[0].state, steps=(step,))
    with pytest.raises(ValueError, match="question 'open-0': nothing is recorded of later steps"):
        calibration(found).confidence(later)
