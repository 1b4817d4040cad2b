"""Episodes of policies that look before they decide."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config import CellSpec, build
from argo_ml.models.base import Scoring
from argo_ml.pipeline import Known, Pipeline, build_pipeline, run_episode
from argo_ml.pipeline.requests import Embedding
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.state import Outcome
from argo_ml.types import Action, Expectation, Question, StopReason

OPEN = Question("open", "Which code has the capital of France?", answers=("33",))
CHOICES = Question(
    "choices", "Which is the capital of France?", choices=("Paris", "Lima"), gold=(0,)
)
RETRIEVE, REASON = Decision(Action.RETRIEVE), Decision(Action.REASON)
STOP = Decision(Action.STOP, StopReason.POLICY)


@dataclass
class Looking:
    """Takes ``decisions`` one after the other, looks at ``wanted``, and keeps what it was shown."""

    decisions: tuple[Decision, ...]
    wanted: frozenset[Probe]
    shown: list[State] = field(default_factory=list)

    def required_probes(self, state: State) -> frozenset[Probe]:
        return self.wanted

    def decide(self, state: State, rng: random.Random) -> Decision:
        self.shown.append(state)
        return self.decisions[len(state.steps)]


def make_pipeline(measure: Callable[[State], float] | None = None, **values: object) -> Pipeline:
    spec = build(CellSpec, {"retrieval_cost": 0.1, "cache_dir": Path("unused"), **values})
    return build_pipeline(spec, lambda texts: [len(text.split()) for text in texts], measure)


def play(
    world: Any, question: Question, policy: Any, pipeline: Pipeline | None = None, **shared: Known
) -> Outcome:
    requesting = run_episode(question, policy, pipeline or make_pipeline(), **shared)
    outcome: Outcome = world.run(requesting)
    return outcome


def test_the_answer_now_is_the_softmax_of_the_scores_per_token(world: Any) -> None:
    world.weigh = lambda request: (math.log(0.3), math.log(0.1))
    policy = Looking((STOP,), frozenset({Probe.ANSWER}))
    play(world, CHOICES, policy)
    answer_now = policy.shown[0].observations.answer
    assert answer_now is not None
    assert answer_now.probabilities == pytest.approx((0.75, 0.25))
    assert answer_now.answer.choice == 0


def test_a_look_that_becomes_the_answer_is_one_call_and_no_probe(world: Any) -> None:
    usage = play(world, CHOICES, Looking((STOP,), frozenset({Probe.ANSWER}))).usage
    assert (usage.synthesizer_calls, usage.probe_calls, usage.calls) == (1, 0, 1)
    assert len(world.requests) == 1


def test_looks_before_an_action_are_probes_that_cost_their_price(world: Any) -> None:
    policy = Looking((RETRIEVE, REASON, STOP), frozenset({Probe.ANSWER}))
    outcome = play(world, CHOICES, policy, make_pipeline(probe_cost=0.01, reason_cost=0.02))
    assert (outcome.usage.synthesizer_calls, outcome.usage.probe_calls) == (1, 2)
    assert outcome.cost == pytest.approx(0.1 + 0.02 + 2 * 0.01)
    assert len([request for request in world.requests if isinstance(request, Scoring)]) == 3


def test_a_text_is_looked_at_with_its_tokens_and_becomes_the_answer(world: Any) -> None:
    policy = Looking((STOP,), frozenset({Probe.ANSWER}))
    outcome = play(world, OPEN, policy)
    answer_now = policy.shown[0].observations.answer
    assert answer_now is not None and [token.entropy for token in answer_now.tokens] == [0.7]
    assert outcome.answer.text == answer_now.answer.text == "some text"
    assert (outcome.usage.synthesizer_calls, outcome.usage.probe_calls) == (1, 0)


def test_drafts_and_samples_are_made_once_without_evidence(world: Any) -> None:
    world.write = lambda request: f"{request.temperature:g}/{request.seed % 3}"
    required = frozenset({Probe.DRAFT, Probe.SAMPLES})
    policy = Looking((RETRIEVE, STOP), required)
    usage = play(world, OPEN, policy).usage
    first, last = (state.observations for state in policy.shown)
    assert first.draft is not None and (first.draft.text, len(first.draft.tokens)) == ("0/0", 1)
    assert first.samples == ("0.7/0", "0.7/1", "0.7/2")
    assert (last.draft, last.samples) == (first.draft, first.samples)
    assert (usage.probe_calls, usage.sample_calls) == (1, 3)
    drafts = [request for request in world.generations if request.max_new_tokens == 20]
    assert len(drafts) == 4
    assert all("Passages" not in request.prompt.turn for request in drafts)


def test_what_was_looked_at_and_how_much_was_asked_for_stays_with_the_outcome(world: Any) -> None:
    several = Decision(Action.RETRIEVE, top_k=5)
    policy = Looking((RETRIEVE, several, STOP), frozenset({Probe.ANSWER, Probe.DRAFT}))
    outcome = play(world, OPEN, policy)
    assert outcome.observations == policy.shown[-1].observations
    assert [step.top_k for step in outcome.steps] == [None, 5]


def test_a_tentative_sentence_answers_the_sub_question_to_come(world: Any) -> None:
    policy = Looking((RETRIEVE, STOP), frozenset({Probe.TENTATIVE}))
    usage = play(world, OPEN, policy).usage
    assert policy.shown[0].observations.tentative is not None
    # The second sub-question was asked for, looked at, and not acted on.
    assert (usage.decomposer_calls, usage.probe_calls, usage.reader_calls) == (1, 2, 1)


def test_the_question_is_embedded_once(world: Any) -> None:
    policy = Looking((RETRIEVE, STOP), frozenset({Probe.VECTOR}))
    play(world, OPEN, policy)
    assert [state.observations.vector for state in policy.shown] == [(0.6, 0.8)] * 2
    assert world.requests.count(Embedding(OPEN.text)) == 1


def test_what_one_episode_has_looked_at_another_need_not_ask_for(world: Any) -> None:
    known, required = Known(), frozenset(Probe)
    first = play(world, OPEN, Looking((RETRIEVE, STOP), required), known=known)
    n_requests = len(world.requests)
    assert play(world, OPEN, Looking((RETRIEVE, STOP), required), known=known) == first
    assert len(world.requests) == n_requests


def test_at_the_step_limit_only_the_answer_is_looked_at(world: Any) -> None:
    policy = Looking((RETRIEVE, RETRIEVE), frozenset({Probe.ANSWER, Probe.TENTATIVE}))
    outcome = play(world, OPEN, policy, make_pipeline(max_steps=1))
    assert outcome.stop_reason is StopReason.LIMIT
    assert policy.shown[1].observations.tentative is None
    assert policy.shown[1].observations.answer is not None


def test_a_query_and_a_number_of_passages_of_the_policy_s_own(world: Any) -> None:
    world.find = lambda request: ()
    decision = Decision(Action.RETRIEVE, query="capital France", top_k=5)
    outcome = play(world, OPEN, Looking((decision, STOP), frozenset()))
    assert [(request.query, request.top_k) for request in world.retrievals] == [
        ("capital France", 5)
    ]
    assert outcome.steps[0].query == "capital France"
    assert outcome.steps[0].sub_question == OPEN.text


def test_who_abstains_answers_nothing_and_is_not_misread(world: Any) -> None:
    abstain = Decision(Action.STOP, StopReason.ABSTAIN)
    outcome = play(world, CHOICES, Looking((abstain,), frozenset({Probe.ANSWER})))
    assert (outcome.answer.text, outcome.answer.choice, outcome.answer.parsed) == ("", None, True)
    assert (outcome.usage.synthesizer_calls, outcome.usage.probe_calls) == (0, 1)


def test_what_was_expected_and_seen_stays_on_the_steps(world: Any) -> None:
    expected = Expectation(confidence=0.4, gain=0.2)
    decision = Decision(Action.REASON, expected=expected)
    last = Decision(Action.STOP, StopReason.POLICY, expected=Expectation(0.7))
    outcome = play(world, CHOICES, Looking((decision, last), frozenset({Probe.ANSWER})))
    assert outcome.steps[0].expected == expected
    assert outcome.steps[0].before is not None and outcome.steps[0].before.choice == 0
    assert outcome.expected.confidence == 0.7


def test_measured_progress_is_that_of_the_state_after_the_step(world: Any) -> None:
    pipeline = make_pipeline(measure=lambda state: 0.3 + 0.4 * len(state.steps))
    outcome = play(world, CHOICES, ThresholdPolicy(0.5, 0.9), pipeline)
    assert [step.action for step in outcome.steps] == [Action.RETRIEVE, Action.REASON]
    assert [step.progress for step in outcome.steps] == pytest.approx([0.7, 1.1])
    assert outcome.usage.probe_calls == 2


def test_every_scored_answer_is_asked_for_its_hidden_state_so_that_it_is_one_call(
    world: Any,
) -> None:
    pipeline = make_pipeline(hidden_states=True)
    play(world, CHOICES, Looking((STOP,), frozenset({Probe.ANSWER})), pipeline)
    play(world, CHOICES, Looking((STOP,), frozenset()), pipeline)
    assert [request.hidden_state for request in world.scorings] == [True, True]
    assert len(set(world.scorings)) == 1


def test_of_written_answers_those_that_are_looked_at_are_asked_for_it(world: Any) -> None:
    pipeline = make_pipeline(hidden_states=True)
    play(world, OPEN, Looking((STOP,), frozenset({Probe.ANSWER})), pipeline)
    play(world, OPEN, Looking((STOP,), frozenset()), pipeline)
    assert [request.hidden_state for request in world.generations] == [True, False]
