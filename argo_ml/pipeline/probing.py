"""What a policy looks at before it decides, as requests."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from argo_ml.models.base import Completion, Generation
from argo_ml.models.reasoning import without_reasoning
from argo_ml.pipeline import prompts
from argo_ml.pipeline.components import (
    FinalAnswer,
    Reasoner,
    SubQuestion,
    Synthesizer,
    usage_of,
)
from argo_ml.pipeline.known import Known
from argo_ml.pipeline.requests import Embedding, Requesting, embedded, generated
from argo_ml.state import AnswerNow, Draft, Observations, Probe, State
from argo_ml.types import NO_USAGE, Answer, Component, Question, Usage

DRAFT_TOKENS = 20
"""Tokens of a draft: TARG's k (arXiv 2511.09803, section 3)."""
N_SAMPLES = 3
"""Sampled drafts: TARG's N."""
SAMPLE_TEMPERATURE = 0.7
"""Temperature of the sampled drafts."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was observed, and the calls that it took, those of the answer apart.

    The answer is the final one if the episode stops now, and a probe if it goes on.
    """

    observations: Observations
    usage: Usage
    answer_usage: Usage


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks with the components that the episode itself uses, so that it sees what they would do.

    ``seed`` is of the sampled drafts.
    """

    synthesizer: Synthesizer
    reasoner: Reasoner
    seed: int

    def probe(
        self,
        required: AbstractSet[Probe],
        state: State,
        sub_question: SubQuestion | None,
        here: Known,
        root: Known,
    ) -> Requesting[ProbeResult]:
        """Observe what is ``required`` beyond what ``state`` holds.

        ``here`` is what is known at this point of the history and ``root`` at its beginning;
        ``sub_question`` is the next one, which a tentative sentence answers.
        """
        question, usage, seen = state.question, NO_USAGE, state.observations
        answer, spent = None, NO_USAGE
        draft, samples, vector, tentative = seen.draft, seen.samples, seen.vector, None
        if Probe.ANSWER in required:
            final = yield from self._answer(question, state, here)
            answer, spent = answer_now(final), final.usage
        if Probe.DRAFT in required and draft is None:
            drafted = yield from root.draft.get(generated(self._drafting(question)))
            draft = _as_draft(drafted)
            usage = usage + usage_of(Component.PROBE, drafted)
        if Probe.SAMPLES in required and not samples:
            drawn = yield from root.samples.get(self._draw_samples(question))
            samples = tuple(without_reasoning(sample.text) for sample in drawn)
            for sample in drawn:
                usage = usage + as_samples(usage_of(Component.PROBE, sample))
        if Probe.TENTATIVE in required and sub_question is not None:
            said = yield from here.tentative.get(self._tentative(state, sub_question.text))
            tentative = _as_draft(said)
            usage = usage + usage_of(Component.PROBE, said)
        if Probe.VECTOR in required and not vector:
            vector = yield from root.vector.get(_vector(question))
        observations = Observations((*seen.answers, answer), draft, samples, tentative, vector)
        return ProbeResult(observations, usage, spent)

    def _answer(self, question: Question, state: State, here: Known) -> Requesting[FinalAnswer]:
        if self.synthesizer.scores(question):
            # Scored choices say all there is to see, so that this is the final answer's own call.
            return (yield from here.final.get(self.synthesizer.answer(question, state.steps)))
        return (
            yield from here.detailed.get(
                self.synthesizer.answer(question, state.steps, details=True)
            )
        )

    def _draw_samples(self, question: Question) -> Requesting[tuple[Completion, ...]]:
        drafting = self._drafting(question, SAMPLE_TEMPERATURE)
        drawn = []
        for number in range(N_SAMPLES):
            request = replace(drafting, seed=self.seed * N_SAMPLES + number)
            drawn.append((yield from generated(request)))
        return tuple(drawn)

    def _drafting(self, question: Question, temperature: float = 0.0) -> Generation:
        return Generation(
            prompts.synthesizer(question.text, (), ()),
            DRAFT_TOKENS,
            temperature=temperature,
            details=not temperature,
            component=Component.PROBE,
        )

    def _tentative(self, state: State, sub_question: str) -> Requesting[Completion]:
        prompt = prompts.reasoner(state.question.text, state.steps, sub_question)
        n_tokens, component = self.reasoner.max_new_tokens, Component.PROBE
        return (
            yield from generated(Generation(prompt, n_tokens, details=True, component=component))
        )


def _vector(question: Question) -> Requesting[tuple[float, ...]]:
    return (yield from embedded(Embedding(question.text))).values


def _as_draft(completion: Completion) -> Draft:
    return Draft(without_reasoning(completion.text), completion.tokens)


def answer_now(final: FinalAnswer) -> AnswerNow:
    probabilities = choice_probabilities(final.answer)
    return AnswerNow(final.answer, probabilities, final.tokens, final.hidden_state)


def choice_probabilities(answer: Answer) -> tuple[float, ...]:
    """Softmax of the choices' length-normalised log-likelihoods; empty where none was scored."""
    best = max(answer.scores, default=0.0)
    weights = [math.exp(score - best) for score in answer.scores]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def as_probe(usage: Usage) -> Usage:
    """The calls of an answer that was probed at and did not become the final one."""
    return replace(usage, synthesizer_calls=0, probe_calls=usage.synthesizer_calls)


def as_samples(usage: Usage) -> Usage:
    return replace(usage, probe_calls=0, sample_calls=usage.probe_calls)
