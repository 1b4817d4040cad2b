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
from argo_ml.types import Answer, Component, Question, Usage

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
        question, usage = state.question, Usage()
        observations = replace(state.observations, tentative=None)
        answer, spent = None, Usage()
        if Probe.ANSWER in required:
            final = yield from self._answer(question, state, here)
            answer, spent = answer_now(final), final.usage
        if Probe.DRAFT in required and observations.draft is None:
            draft = yield from self._draft(question, root)
            observations = replace(observations, draft=_as_draft(draft))
            usage = usage + usage_of(Component.PROBE, draft)
        if Probe.SAMPLES in required and not observations.samples:
            samples = yield from self._samples(question, root)
            texts = tuple(without_reasoning(sample.text) for sample in samples)
            observations = replace(observations, samples=texts)
            for sample in samples:
                usage = usage + as_samples(usage_of(Component.PROBE, sample))
        if Probe.TENTATIVE in required and sub_question is not None:
            tentative = yield from self._tentative(state, sub_question.text, here)
            observations = replace(observations, tentative=_as_draft(tentative))
            usage = usage + usage_of(Component.PROBE, tentative)
        if Probe.VECTOR in required and not observations.vector:
            if root.vector is None:
                root.vector = (yield from embedded(Embedding(question.text))).values
            observations = replace(observations, vector=root.vector)
        observations = replace(observations, answers=(*observations.answers, answer))
        return ProbeResult(observations, usage, spent)

    def _answer(self, question: Question, state: State, here: Known) -> Requesting[FinalAnswer]:
        if self.synthesizer.scores(question):
            # Scored choices say all there is to see, so that this is the final answer's own call.
            if here.final is None:
                here.final = yield from self.synthesizer.answer(question, state.steps)
            return here.final
        if here.detailed is None:
            here.detailed = yield from self.synthesizer.answer(question, state.steps, details=True)
        return here.detailed

    def _draft(self, question: Question, root: Known) -> Requesting[Completion]:
        if root.draft is None:
            root.draft = yield from generated(self._drafting(question))
        return root.draft

    def _samples(self, question: Question, root: Known) -> Requesting[tuple[Completion, ...]]:
        if not root.samples:
            drafting = self._drafting(question, SAMPLE_TEMPERATURE)
            drawn = []
            for number in range(N_SAMPLES):
                request = replace(drafting, seed=self.seed * N_SAMPLES + number)
                drawn.append((yield from generated(request)))
            root.samples = tuple(drawn)
        return root.samples

    def _drafting(self, question: Question, temperature: float = 0.0) -> Generation:
        return Generation(
            prompts.synthesizer(question.text, (), ()),
            DRAFT_TOKENS,
            temperature=temperature,
            details=not temperature,
            component=Component.PROBE,
        )

    def _tentative(self, state: State, sub_question: str, here: Known) -> Requesting[Completion]:
        if here.tentative is None:
            prompt = prompts.reasoner(state.question.text, state.steps, sub_question)
            request = Generation(
                prompt, self.reasoner.max_new_tokens, details=True, component=Component.PROBE
            )
            here.tentative = yield from generated(request)
        return here.tentative


def _as_draft(completion: Completion) -> Draft:
    return Draft(without_reasoning(completion.text), completion.tokens)


def answer_now(final: FinalAnswer) -> AnswerNow:
    return AnswerNow(final.answer, choice_probabilities(final.answer), final.tokens)


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
