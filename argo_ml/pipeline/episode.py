"""One question answered under one policy, from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from argo_ml.config import CellSpec
from argo_ml.errors import ConfigError
from argo_ml.mdp.progress import FixedGains
from argo_ml.models.counting import CountTokens
from argo_ml.models.unfit import UnfitRequestError
from argo_ml.pipeline.components import (
    Decomposer,
    Reader,
    Reasoner,
    SubAnswer,
    SubQuestion,
    Synthesizer,
)
from argo_ml.pipeline.known import Known
from argo_ml.pipeline.probing import Observer, ProbeResult, as_probe
from argo_ml.pipeline.requests import Requesting
from argo_ml.policies.base import Decision, Policy, Probe, State, required_probes_of
from argo_ml.pricing import Tariff
from argo_ml.randomness import deferred_rng
from argo_ml.state import CONFIDENCE_PROBES, Outcome
from argo_ml.types import NO_USAGE, Action, Answer, Prices, Question, Step, StopReason, Usage

NO_ANSWER = Answer("", withheld=True)
"""What an episode answers that abstains, or that the model did not let come to its end."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The components and settings that all episodes of a cell share.

    ``measure`` gives progress from what was probed at; without it ``progress`` advances it by what
    a step achieved. With a ``tariff`` an episode costs what it used, else ``prices`` of its steps.
    """

    decomposer: Decomposer
    reader: Reader
    reasoner: Reasoner
    synthesizer: Synthesizer
    progress: FixedGains
    prices: Prices
    max_steps: int
    seed: int
    measure: Callable[[State], float] | None = None
    tariff: Tariff | None = None

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

    @property
    def observer(self) -> Observer:
        return Observer(self.synthesizer, self.reasoner, self.seed)


def build_pipeline(
    spec: CellSpec,
    count_tokens: CountTokens,
    measure: Callable[[State], float] | None = None,
    tariff: Tariff | None = None,
    gains: FixedGains | None = None,
) -> Pipeline:
    """``gains`` are those of the spec unless given."""
    limit = spec.generation_limit
    return Pipeline(
        decomposer=Decomposer(limit),
        reader=Reader(spec.top_k, spec.similarity_limit, spec.channel_success_rate, limit),
        reasoner=Reasoner(limit),
        synthesizer=Synthesizer(
            spec.answering, spec.evidence_tokens, limit, count_tokens, spec.hidden_states
        ),
        progress=gains or FixedGains(spec.delta_r, spec.delta_p, spec.u_max),
        prices=spec.step_prices,
        max_steps=spec.max_steps,
        seed=spec.seed,
        measure=measure,
        tariff=tariff,
    )


def run_episode(
    question: Question, policy: Policy, pipeline: Pipeline, known: Known | None = None
) -> Requesting[Outcome]:
    """Look, decide, ask, retrieve or reason until the policy stops; then synthesize the answer.

    ``known`` is what earlier episodes of this question have found with the same components; this
    one requests the rest and adds it. A request that the model does not take ends the episode
    without an answer.
    """
    episode = _Episode(policy, pipeline, known or Known(), State(question))
    try:
        return (yield from episode.run())
    except UnfitRequestError as error:
        ended = Decision(Action.STOP, StopReason.UNANSWERED)
        return replace(episode.outcome(ended, NO_ANSWER), unanswered=str(error))


@dataclass(slots=True)
class _Episode:
    """An episode under way: what it has come to, and what it took."""

    policy: Policy
    pipeline: Pipeline
    root: Known
    state: State
    usage: Usage = NO_USAGE
    step_usages: tuple[Usage, ...] = ()
    answer_usages: tuple[Usage, ...] = ()

    def run(self) -> Requesting[Outcome]:
        pipeline, here = self.pipeline, self.root
        required_probes, observer = required_probes_of(self.policy), pipeline.observer
        while True:
            probes = _probes_to_make(required_probes(self.state), self.state, pipeline)
            sub_question = None
            if Probe.TENTATIVE in probes:
                sub_question = yield from self._next_sub_question(here)
            probed = yield from observer.probe(probes, self.state, sub_question, here, self.root)
            self.usage = self.usage + probed.usage
            self.answer_usages = (*self.answer_usages, probed.answer_usage)
            before = self.state
            seen = State(before.question, before.progress, before.steps, probed.observations)
            self.state = _measured(seen, pipeline)
            decision = _decide(self.policy, self.state, pipeline)
            if decision.stop_reason is not None:
                break
            if probed.answer_usage is not NO_USAGE:
                self.usage = self.usage + as_probe(probed.answer_usage)
            if sub_question is None:
                sub_question = yield from self._next_sub_question(here)
            here = yield from self._take(decision, sub_question, here)
        answer, spent = yield from _answer(decision.stop_reason, self.state, probed, pipeline, here)
        self.usage = self.usage + spent
        return self.outcome(decision, answer)

    def _next_sub_question(self, here: Known) -> Requesting[SubQuestion]:
        state = self.state
        sub_question = here.sub_question.value or (
            yield from here.sub_question.get(
                self.pipeline.decomposer.ask(state.question, state.steps)
            )
        )
        self.usage = self.usage + sub_question.usage
        return sub_question

    def _take(
        self, decision: Decision, sub_question: SubQuestion, here: Known
    ) -> Requesting[Known]:
        """Take the step decided on; returns the point of the history that it leads to."""
        state = self.state
        sub_answer, after = yield from _act(decision, state, sub_question.text, self.pipeline, here)
        spent = sub_question.usage + sub_answer.usage
        step = _step(decision, state, sub_question, sub_answer, self.pipeline, spent)
        self.state = State(state.question, step.progress, (*state.steps, step), state.observations)
        self.usage = self.usage + sub_answer.usage
        self.step_usages = (*self.step_usages, spent)
        return after

    def outcome(self, decision: Decision, answer: Answer) -> Outcome:
        assert decision.stop_reason is not None
        return Outcome(
            question_id=self.state.question.id,
            answer=answer,
            steps=self.state.steps,
            stop_reason=decision.stop_reason,
            progress=self.state.progress,
            usage=self.usage,
            expected=decision.expected,
            probe_price=self.pipeline.prices.probe,
            observations=self.state.observations,
            tariff=self.pipeline.tariff,
            step_usages=self.step_usages,
            answer_usages=self.answer_usages,
        )


def _probes_to_make(
    required: AbstractSet[Probe], state: State, pipeline: Pipeline
) -> AbstractSet[Probe]:
    """What to look at; at the step limit only the answer, which is then the final one."""
    if pipeline.measure is not None:
        required = required | CONFIDENCE_PROBES
    return required & CONFIDENCE_PROBES if len(state.steps) >= pipeline.max_steps else required


def _measured(state: State, pipeline: Pipeline) -> State:
    """The state with its progress, and that of the step that led to it, where it is measured."""
    if pipeline.measure is None:
        return state
    progress = pipeline.measure(state)
    steps = state.steps
    if steps:
        steps = (*steps[:-1], replace(steps[-1], progress=progress))
    return replace(state, progress=progress, steps=steps)


def _decide(policy: Policy, state: State, pipeline: Pipeline) -> Decision:
    rng = deferred_rng(pipeline.seed, state.question.id, len(state.steps), "policy")
    decision = policy.decide(state, rng)
    if not isinstance(decision, Decision):
        raise ConfigError(
            f"{type(policy).__name__}.decide returned {decision!r:.60}; return a Decision"
        )
    if decision.stop_reason is None and len(state.steps) >= pipeline.max_steps:
        return Decision(Action.STOP, StopReason.LIMIT, expected=decision.expected)
    return decision


def _act(
    decision: Decision, state: State, sub_question: str, pipeline: Pipeline, here: Known
) -> Requesting[tuple[SubAnswer, Known]]:
    """What the action finds, and the point of the history that it leads to."""
    question, steps, reader = state.question, state.steps, pipeline.reader
    if decision.action is Action.REASON:
        reasoned = here.reasoned.value or (
            yield from here.reasoned.get(pipeline.reasoner.answer(question, steps, sub_question))
        )
        return reasoned, here.after_reasoning()
    query, top_k = decision.query or sub_question, decision.top_k or reader.top_k
    once = here.hits[query, top_k]
    hits = once.value or (yield from once.get(reader.search(query, top_k)))
    channel = deferred_rng(pipeline.seed, question.id, len(steps), "channel")
    evidence = reader.delivered(hits, channel)
    passage_ids = tuple(hit.passage.id for hit in evidence)
    # The same passages may have been found by another query, at other similarities.
    reading = here.read[passage_ids]
    sub_answer = reading.value or (yield from reading.get(reader.read(sub_question, evidence)))
    if sub_answer.evidence != evidence:
        sub_answer = replace(sub_answer, evidence=evidence)
    return sub_answer, here.after_reading(passage_ids)


def _step(
    decision: Decision,
    state: State,
    sub_question: SubQuestion,
    sub_answer: SubAnswer,
    pipeline: Pipeline,
    spent: Usage,
) -> Step:
    present = state.observations.answer
    return Step(
        sub_question=sub_question.text,
        action=decision.action,
        sub_answer=sub_answer.text,
        progress=pipeline.progress.advance(state.progress, decision.action, sub_answer.succeeded),
        cost=pipeline.prices.of(decision.action),
        succeeded=sub_answer.succeeded,
        evidence=sub_answer.evidence,
        fallback=sub_question.fallback,
        query=decision.query,
        expected=decision.expected,
        before=None if present is None else present.answer,
        top_k=decision.top_k,
        tokens=(spent.prompt_tokens, spent.completion_tokens),
    )


def _answer(
    reason: StopReason, state: State, probed: ProbeResult, pipeline: Pipeline, here: Known
) -> Requesting[tuple[Answer, Usage]]:
    """The final answer and what it took: the one that was probed at, where there is one."""
    answer_now = probed.observations.answer
    if reason is StopReason.ABSTAIN:
        return NO_ANSWER, as_probe(probed.answer_usage)
    if answer_now is not None:
        return answer_now.answer, probed.answer_usage
    final = yield from here.final.get(pipeline.synthesizer.answer(state.question, state.steps))
    return final.answer, final.usage
