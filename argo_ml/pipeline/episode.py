"""One question answered under one policy, from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from argo_ml.config import CellSpec
from argo_ml.pipeline.components import Decomposer, Reader, Reasoner, SubAnswer, Synthesizer
from argo_ml.pipeline.known import Known
from argo_ml.pipeline.requests import Requesting
from argo_ml.policies.base import Decision, Policy, State
from argo_ml.policies.progress import FixedGains, ProgressModel
from argo_ml.randomness import deferred_rng
from argo_ml.types import Action, Outcome, Question, Step, StopReason, Usage


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The components and settings that all episodes of a cell share."""

    decomposer: Decomposer
    reader: Reader
    reasoner: Reasoner
    synthesizer: Synthesizer
    progress: ProgressModel
    prices: dict[Action, float]
    max_steps: int
    seed: int

    @property
    def knowledge(self) -> Hashable:
        """Episodes of one question may share a `Known` where this is equal."""
        reader = self.reader
        return (
            self.decomposer,
            reader.channel_success_rate,
            reader.max_new_tokens,
            self.reasoner,
            self.synthesizer,
            self.seed,
        )


def build_pipeline(spec: CellSpec, count_tokens: Callable[[Sequence[str]], list[int]]) -> Pipeline:
    limit = spec.generation_limit
    return Pipeline(
        decomposer=Decomposer(limit),
        reader=Reader(spec.top_k, spec.min_similarity, spec.channel_success_rate, limit),
        reasoner=Reasoner(limit),
        synthesizer=Synthesizer(spec.answering, spec.evidence_tokens, limit, count_tokens),
        progress=FixedGains(spec.delta_r, spec.delta_p, spec.u_max),
        prices={Action.RETRIEVE: spec.retrieval_cost, Action.REASON: spec.reason_cost},
        max_steps=spec.max_steps,
        seed=spec.seed,
    )


def run_episode(
    question: Question, policy: Policy, pipeline: Pipeline, known: Known | None = None
) -> Requesting[Outcome]:
    """Decide, ask, retrieve or reason until the policy stops; then synthesize the answer.

    ``known`` is what earlier episodes of this question have found with the same components; this
    one requests the rest and adds it.
    """
    state, usage = State(question), Usage()
    here = known or Known()
    while True:
        decision = _decide(policy, state, pipeline)
        if decision.stop_reason is not None:
            break
        asked = here.asked or (yield from pipeline.decomposer.ask(question, state.steps))
        here.asked = asked
        found, here = yield from _act(decision.action, state, asked.text, pipeline, here)
        progress = pipeline.progress.advance(state.progress, decision.action, found.succeeded)
        step = Step(
            sub_question=asked.text,
            action=decision.action,
            sub_answer=found.text,
            progress=progress,
            cost=pipeline.prices[decision.action],
            succeeded=found.succeeded,
            evidence=found.evidence,
            fallback=asked.fallback,
        )
        state = State(question, progress, (*state.steps, step))
        usage = usage + asked.usage + found.usage
    final = here.final or (yield from pipeline.synthesizer.answer(question, state.steps))
    here.final = final
    return Outcome(
        question_id=question.id,
        answer=final.answer,
        steps=state.steps,
        stop_reason=decision.stop_reason,
        progress=state.progress,
        usage=usage + final.usage,
    )


def _decide(policy: Policy, state: State, pipeline: Pipeline) -> Decision:
    rng = deferred_rng(pipeline.seed, state.question.id, len(state.steps), "policy")
    decision = policy.decide(state, rng)
    if decision.stop_reason is None and len(state.steps) >= pipeline.max_steps:
        return Decision(Action.STOP, StopReason.LIMIT)
    return decision


def _act(
    action: Action, state: State, sub_question: str, pipeline: Pipeline, here: Known
) -> Requesting[tuple[SubAnswer, Known]]:
    """What the action finds, and the point of the history that it leads to."""
    question, steps, reader = state.question, state.steps, pipeline.reader
    if action is Action.REASON:
        reasoned = here.reasoned or (
            yield from pipeline.reasoner.answer(question, steps, sub_question)
        )
        here.reasoned = reasoned
        return reasoned, here.after_reasoning()
    if reader.top_k not in here.hits:
        here.hits[reader.top_k] = yield from reader.look_up(sub_question)
    channel = deferred_rng(pipeline.seed, question.id, len(steps), "channel")
    evidence = reader.delivered(here.hits[reader.top_k], channel)
    passage_ids = tuple(hit.passage.id for hit in evidence)
    if passage_ids not in here.read:
        here.read[passage_ids] = yield from reader.read(sub_question, evidence)
    return here.read[passage_ids], here.after_reading(passage_ids)
