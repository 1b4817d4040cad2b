from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config import CellSpec, build
from argo_ml.models.base import Generation
from argo_ml.pipeline import Known, Pipeline, build_pipeline, run_episode
from argo_ml.pipeline.requests import Refusal
from argo_ml.policies.base import Decision, State
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.state import Outcome
from argo_ml.types import Action, Evidence, Passage, Prices, Question, StopReason

QUESTION = Question("q1", "Which code has the capital of France?", answers=("33",))
ALWAYS_RETRIEVE, ALWAYS_REASON = ThresholdPolicy(1.0, 1.0), ThresholdPolicy(0.0, 1.0)


@dataclass
class Recording:
    """Reasons for ever, and keeps what it was shown."""

    shown: list[tuple[State, float]] = field(default_factory=list)

    def decide(self, state: State, rng: random.Random) -> Decision:
        self.shown.append((state, rng.random()))
        return Decision(Action.REASON)


def make_pipeline(**values: object) -> Pipeline:
    spec = build(CellSpec, {"retrieval_cost": 0.1, "cache_dir": Path("unused"), **values})
    return build_pipeline(spec, lambda texts: [len(text.split()) for text in texts])


def outcome_of(world: Any, policy: Any, pipeline: Pipeline | None = None) -> Outcome:
    outcome: Outcome = world.run(run_episode(QUESTION, policy, pipeline or make_pipeline()))
    return outcome


def counted(world: Any) -> None:
    """Let the model write a new text each time."""
    world.write = lambda request: f"text {len(world.generations)}"


def test_retrieving_takes_four_steps_and_stops_at_the_threshold(world: Any) -> None:
    counted(world)
    outcome = outcome_of(world, ALWAYS_RETRIEVE)
    assert [step.action for step in outcome.steps] == [Action.RETRIEVE] * 4
    assert [step.progress for step in outcome.steps] == [0.25, 0.5, 0.75, 1.0]
    assert (outcome.progress, outcome.stop_reason) == (1.0, StopReason.THRESHOLD)
    assert outcome.cost == pytest.approx(0.4)


def test_reasoning_takes_thirteen_steps_and_retrieves_nothing(world: Any) -> None:
    counted(world)
    outcome = outcome_of(world, ALWAYS_REASON)
    assert outcome.count(Action.REASON) == len(outcome.steps) == 13
    assert outcome.cost == pytest.approx(0.26)
    assert world.retrievals == []


def test_calls_are_counted_by_component(world: Any) -> None:
    counted(world)
    usage = outcome_of(world, ThresholdPolicy(0.5, 0.6)).usage
    # Two retrievals, then reasoning from 0.5 to 0.58 to 0.66.
    assert (usage.reader_calls, usage.reasoner_calls) == (2, 2)
    assert (usage.decomposer_calls, usage.synthesizer_calls) == (3, 1)
    assert usage.calls == len(world.generations) == 8
    assert (usage.prompt_tokens, usage.completion_tokens, usage.seconds) == (80, 16, 4.0)


def test_policy_that_stops_at_once_leaves_no_steps_and_still_answers(world: Any) -> None:
    outcome = outcome_of(world, ThresholdPolicy(0.0, 0.0))
    assert outcome.steps == ()
    assert (outcome.progress, outcome.cost) == (0.0, 0)
    assert outcome.answer.text == "some text"
    assert outcome.usage.calls == outcome.usage.synthesizer_calls == 1


def test_step_limit_ends_the_episode_with_its_own_reason(world: Any) -> None:
    outcome = outcome_of(world, Recording(), make_pipeline(max_steps=3))
    assert len(outcome.steps) == 3
    assert outcome.stop_reason is StopReason.LIMIT


def test_policy_that_stops_on_the_last_step_keeps_its_reason(world: Any) -> None:
    outcome = outcome_of(world, ALWAYS_RETRIEVE, make_pipeline(max_steps=4))
    assert len(outcome.steps) == 4
    assert outcome.stop_reason is StopReason.THRESHOLD


def test_failed_retrieval_costs_and_adds_neither_progress_nor_text(world: Any) -> None:
    world.find = lambda request: ()
    outcome = outcome_of(world, ALWAYS_RETRIEVE, make_pipeline(max_steps=2))
    assert outcome.stop_reason is StopReason.LIMIT
    assert outcome.cost == pytest.approx(0.2)
    for step in outcome.steps:
        assert (step.succeeded, step.progress) == (False, 0.0)
        assert (step.sub_answer, step.evidence) == ("", ())


def test_failed_retrieval_is_tried_again_until_it_succeeds(world: Any) -> None:
    find = world.find
    world.find = lambda request: find(request) if len(world.retrievals) > 2 else ()
    outcome = outcome_of(world, ALWAYS_RETRIEVE)
    assert [step.progress for step in outcome.steps] == [0.0, 0.0, 0.25, 0.5, 0.75, 1.0]
    assert outcome.cost == pytest.approx(0.6)


def test_repeated_sub_questions_are_marked_and_ask_the_question(world: Any) -> None:
    world.write = lambda request: "always the same"
    outcome = outcome_of(world, ALWAYS_RETRIEVE)
    assert [step.fallback for step in outcome.steps] == [False, False, True, True]
    assert [step.sub_question for step in outcome.steps] == [
        QUESTION.text,
        "always the same",
        QUESTION.text,
        QUESTION.text,
    ]


def test_retrievals_of_the_same_passages_by_the_same_query_are_repeated(world: Any) -> None:
    world.write = lambda request: "always the same"
    outcome = outcome_of(world, ALWAYS_RETRIEVE)
    # The question, a sub-question, the question, the question.
    assert outcome.repeated_retrievals == 2
    assert outcome.cost == pytest.approx(0.4)


def test_reasoning_alone_repeats_no_retrieval(world: Any) -> None:
    world.write = lambda request: "always the same"
    assert outcome_of(world, ALWAYS_REASON).repeated_retrievals == 0


def test_different_queries_of_equal_passages_are_not_repeated(world: Any) -> None:
    counted(world)
    evidence = (Evidence(Passage("p1", "Paris has the code 33."), 0.9),)
    world.find = lambda request: evidence
    assert outcome_of(world, ALWAYS_RETRIEVE).repeated_retrievals == 0


def test_a_prompt_that_is_refused_later_keeps_the_steps_before_it(world: Any) -> None:
    counted(world)
    respond = world.respond

    def refuse_the_third(request: Any) -> Any:
        is_third = isinstance(request, Generation) and len(world.generations) == 3
        return Refusal("too long") if is_third else respond(request)

    world.respond = refuse_the_third
    outcome = outcome_of(world, ALWAYS_RETRIEVE)
    # Read, ask the next sub-question, and read again: that is refused.
    assert (outcome.stop_reason, outcome.unanswered) == (StopReason.UNANSWERED, "reader: too long")
    assert len(outcome.steps) == 1
    assert outcome.cost == pytest.approx(0.1)
    assert (outcome.usage.reader_calls, outcome.usage.decomposer_calls) == (1, 1)
    assert outcome.answer.withheld


def test_policy_sees_the_question_progress_and_history(world: Any) -> None:
    policy = Recording()
    outcome = outcome_of(world, policy, make_pipeline(max_steps=2))
    states = [state for state, _ in policy.shown]
    assert [state.progress for state in states] == [0.0, 0.08, 0.16]
    assert [state.steps for state in states] == [(), outcome.steps[:1], outcome.steps]
    assert all(state.question is QUESTION for state in states)


def test_policy_draws_depend_on_seed_question_and_step_alone(world: Any) -> None:
    def draws(pipeline: Pipeline) -> list[float]:
        policy = Recording()
        outcome_of(world, policy, pipeline)
        return [draw for _, draw in policy.shown]

    first = draws(make_pipeline(max_steps=5))
    at_other_price = draws(make_pipeline(max_steps=5, retrieval_cost=0.2, strategy="random"))
    with_other_seed = draws(make_pipeline(max_steps=5, seed=1))
    assert first == at_other_price
    assert len(set(first + with_other_seed)) == 12


def test_strategies_share_the_luck_of_the_channel_at_each_step(world: Any) -> None:
    pipeline = make_pipeline(channel_success_rate=0.5, max_steps=12, delta_r=0.01)
    slower = replace(pipeline, prices=Prices(0.9, 0.02))
    retrieving = outcome_of(world, ALWAYS_RETRIEVE, pipeline)
    mixed = outcome_of(world, _EveryOther(), slower)
    luck = {index: step.succeeded for index, step in enumerate(retrieving.steps)}
    retrieved = [
        (index, step.succeeded)
        for index, step in enumerate(mixed.steps)
        if step.action is Action.RETRIEVE
    ]
    assert len(retrieved) == 6
    assert all(luck[index] == succeeded for index, succeeded in retrieved)
    assert set(luck.values()) == {True, False}


class _EveryOther:
    def decide(self, state: State, rng: random.Random) -> Decision:
        return Decision(Action.REASON if len(state.steps) % 2 else Action.RETRIEVE)


def test_equal_actions_make_equal_requests_at_every_price(world: Any) -> None:
    outcome_of(world, ALWAYS_RETRIEVE, make_pipeline(retrieval_cost=0.02))
    half = len(world.requests)
    outcome_of(world, ALWAYS_RETRIEVE, make_pipeline(retrieval_cost=0.2))
    assert world.requests[:half] == world.requests[half:]


def test_pipeline_takes_its_settings_from_the_spec() -> None:
    pipeline = make_pipeline(
        top_k=5, min_similarity=0.1, max_new_tokens=7, evidence_tokens=9, seed=3, u_max=2.0
    )
    assert (pipeline.reader.top_k, pipeline.reader.min_similarity) == (5, 0.1)
    assert pipeline.decomposer.max_new_tokens == pipeline.reasoner.max_new_tokens == 7
    assert (pipeline.synthesizer.evidence_tokens, pipeline.synthesizer.answering) == (
        9,
        "likelihood",
    )
    assert pipeline.prices == Prices(0.1, 0.02)
    assert pipeline.progress.advance(1.9, Action.RETRIEVE, succeeded=True) == 2.0


def test_what_one_episode_found_the_next_need_not_request(world: Any) -> None:
    counted(world)
    known = Known()
    pipeline = make_pipeline()
    first = world.run(run_episode(QUESTION, ALWAYS_RETRIEVE, pipeline, known))
    n_requests = len(world.requests)
    assert world.run(run_episode(QUESTION, ALWAYS_RETRIEVE, pipeline, known)) == first
    assert len(world.requests) == n_requests
    # Two retrievals are known; the reasoning after them and the answer are not.
    world.run(run_episode(QUESTION, ThresholdPolicy(0.5, 0.58), pipeline, known))
    kinds = [type(request).__name__ for request in world.requests[n_requests:]]
    assert kinds == ["Generation", "Generation"]


@pytest.mark.parametrize(
    "policy", [ALWAYS_RETRIEVE, ALWAYS_REASON, ThresholdPolicy(0.5, 0.8), ThresholdPolicy(0.25, 1)]
)
def test_sharing_what_is_known_changes_no_outcome(world: Any, policy: Any) -> None:
    """Over cells that differ in prices, gains, depth, top_k and the similarity they ask for."""
    world.write = lambda request: f"text {hash(request) % 997}"
    known = Known()
    for values in (
        {},
        {"retrieval_cost": 0.9, "delta_r": 0.3},
        {"max_steps": 3},
        {"top_k": 1},
        {"min_similarity": 0.75},
        {"min_similarity": 0.95},
    ):
        pipeline = make_pipeline(**values)
        shared = world.run(run_episode(QUESTION, policy, pipeline, known))
        assert shared == world.run(run_episode(QUESTION, policy, pipeline))
