"""The four components of an episode: decomposer, retriever + reader, reasoner, synthesizer.

Each is sequential code that yields its requests; none knows of batching, caching or prices.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from argo_ml.models.base import Completion, Generation, Prompt, Scores, Scoring
from argo_ml.models.counting import CountTokens
from argo_ml.models.hidden_states import HiddenState
from argo_ml.models.reasoning import without_reasoning
from argo_ml.pipeline import prompts
from argo_ml.pipeline.option_numbers import read_number
from argo_ml.pipeline.requests import Requesting, Retrieval, generated, retrieved, scored
from argo_ml.types import (
    NO_USAGE,
    Answer,
    Component,
    Evidence,
    Passage,
    Question,
    Step,
    TokenDetail,
    Usage,
)


@dataclass(frozen=True, slots=True)
class SubQuestion:
    """The next sub-question; with ``fallback`` the question itself: the model's was unusable."""

    text: str
    fallback: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class SubAnswer:
    text: str
    usage: Usage
    succeeded: bool = True
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """The final answer and its calls; ``tokens`` are those of a written one where asked for, and
    ``hidden_state`` the model's before it."""

    answer: Answer
    usage: Usage
    tokens: tuple[TokenDetail, ...] = ()
    hidden_state: HiddenState = ()


@dataclass(frozen=True, slots=True)
class Decomposer:
    """Asks the question itself at step 0, later the next sub-question from the history."""

    max_new_tokens: int

    def ask(self, question: Question, steps: tuple[Step, ...]) -> Requesting[SubQuestion]:
        if not steps:
            return SubQuestion(question.text, fallback=False, usage=NO_USAGE)
        prompt = prompts.decomposer(question.text, steps)
        completion = yield from generated(
            Generation(prompt, self.max_new_tokens, component=Component.DECOMPOSER)
        )
        text = without_reasoning(completion.text)
        earlier = {_normalised(step.sub_question) for step in steps}
        fallback = not text or _normalised(text) in earlier
        usage = usage_of(Component.DECOMPOSER, completion)
        return SubQuestion(question.text if fallback else text, fallback, usage)


@dataclass(frozen=True, slots=True)
class Reader:
    """Retrieves evidence for a sub-question and answers it from that evidence.

    A retrieval succeeds when evidence of at least ``min_similarity`` was found and the channel
    delivered it; a failed one has no evidence and an empty sub-answer, and calls no model.
    """

    top_k: int
    min_similarity: float
    channel_success_rate: float
    max_new_tokens: int

    def search(self, query: str, top_k: int | None = None) -> Requesting[tuple[Evidence, ...]]:
        """Search for ``top_k`` passages, or for as many as the reader's own number."""
        return (yield from retrieved(Retrieval(query, top_k or self.top_k)))

    def delivered(self, hits: tuple[Evidence, ...], channel: random.Random) -> tuple[Evidence, ...]:
        """The evidence of a retrieval that found these; none where it failed."""
        if self.channel_success_rate < 1 and channel.random() >= self.channel_success_rate:
            return ()
        return tuple(hit for hit in hits if hit.similarity >= self.min_similarity)

    def read(self, sub_question: str, evidence: tuple[Evidence, ...]) -> Requesting[SubAnswer]:
        if not evidence:
            return SubAnswer("", NO_USAGE, succeeded=False)
        prompt = prompts.reader(sub_question, [hit.passage for hit in evidence])
        completion = yield from generated(
            Generation(prompt, self.max_new_tokens, component=Component.READER)
        )
        usage = usage_of(Component.READER, completion)
        return SubAnswer(without_reasoning(completion.text), usage, evidence=evidence)


@dataclass(frozen=True, slots=True)
class Reasoner:
    """Answers a sub-question from what the model knows and the history, without evidence."""

    max_new_tokens: int

    def answer(
        self, question: Question, steps: tuple[Step, ...], sub_question: str
    ) -> Requesting[SubAnswer]:
        prompt = prompts.reasoner(question.text, steps, sub_question)
        completion = yield from generated(
            Generation(prompt, self.max_new_tokens, component=Component.REASONER)
        )
        return SubAnswer(
            without_reasoning(completion.text), usage_of(Component.REASONER, completion)
        )


@dataclass(frozen=True, slots=True)
class Synthesizer:
    """Turns the history and its evidence into the final answer.

    ``answering`` is ``likelihood`` (the choice with the largest log-likelihood per token) or
    ``number`` (the model names the option); open questions are always answered in text.
    ``count_tokens`` measures evidence against ``evidence_tokens``. With ``hidden_states`` an answer
    that a policy can look at has the model's state.
    """

    answering: str
    evidence_tokens: int
    max_new_tokens: int
    count_tokens: CountTokens
    hidden_states: bool = False

    def scores(self, question: Question) -> bool:
        """Whether the answer is the choice that scores best, so that every choice has a score."""
        return bool(question.choices) and self.answering == "likelihood"

    def answer(
        self, question: Question, steps: tuple[Step, ...], details: bool = False
    ) -> Requesting[FinalAnswer]:
        """Answer from the history; with ``details`` a written answer has its tokens."""
        passages = self.select_passages(steps)
        if self.scores(question):
            return (yield from self._score_choices(question, steps, passages))
        if question.choices:
            return (yield from self._name_number(question, steps, passages, details))
        return (yield from self._write(question, steps, passages, details))

    def select_passages(self, steps: Sequence[Step]) -> list[Passage]:
        """Distinct passages within the token budget, the best of every retrieval first.

        A passage counts with its title, as it stands in the prompt; one too long for what is left
        of the budget is passed over, shorter ones after it may still fit.
        """
        by_rank = sorted(
            (rank, index, hit.passage)
            for index, step in enumerate(steps)
            for rank, hit in enumerate(step.evidence)
        )
        distinct = list({passage.id: passage for _, _, passage in by_rank}.values())
        sizes = self.count_tokens([prompts.passage_block(passage) for passage in distinct])
        selected, used = [], 0
        for passage, size in zip(distinct, sizes, strict=True):
            if used + size <= self.evidence_tokens:
                selected.append(passage)
                used += size
        return selected

    def _score_choices(
        self, question: Question, steps: tuple[Step, ...], passages: list[Passage]
    ) -> Requesting[FinalAnswer]:
        prompt = prompts.synthesizer(question.text, steps, passages)
        request = Scoring(
            prompt, question.choices, Component.SYNTHESIZER, hidden_state=self.hidden_states
        )
        scores = yield from scored(request)
        best = max(range(len(question.choices)), key=scores.normalised.__getitem__)
        answer = Answer(question.choices[best], choice=best, scores=scores.normalised)
        usage = usage_of(Component.SYNTHESIZER, scores)
        return FinalAnswer(answer, usage, hidden_state=scores.hidden_state)

    def _name_number(
        self,
        question: Question,
        steps: tuple[Step, ...],
        passages: list[Passage],
        details: bool,
    ) -> Requesting[FinalAnswer]:
        prompt = prompts.synthesizer(question.text, steps, passages, question.choices)
        completion = yield from generated(self._generation(prompt, details))
        reply = without_reasoning(completion.text)
        choice = read_number(reply, len(question.choices))
        answer = Answer(reply or completion.text.strip(), choice, parsed=choice is not None)
        usage = usage_of(Component.SYNTHESIZER, completion)
        return FinalAnswer(answer, usage, completion.tokens, completion.hidden_state)

    def _write(
        self,
        question: Question,
        steps: tuple[Step, ...],
        passages: list[Passage],
        details: bool,
    ) -> Requesting[FinalAnswer]:
        prompt = prompts.synthesizer(question.text, steps, passages)
        completion = yield from generated(self._generation(prompt, details))
        reply = without_reasoning(completion.text)
        # Reasoning that did not come to an end is kept, to be seen and counted.
        answer = Answer(reply or completion.text.strip(), parsed=bool(reply))
        usage = usage_of(Component.SYNTHESIZER, completion)
        return FinalAnswer(answer, usage, completion.tokens, completion.hidden_state)

    def _generation(self, prompt: Prompt, details: bool) -> Generation:
        return Generation(
            prompt,
            self.max_new_tokens,
            details=details,
            hidden_state=details and self.hidden_states,
            component=Component.SYNTHESIZER,
        )


def _normalised(text: str) -> str:
    """Two sub-questions that differ in case or white space alone are the same."""
    return " ".join(text.casefold().split())


def usage_of(component: Component, result: Completion | Scores) -> Usage:
    generated_tokens = (
        result.completion_tokens if isinstance(result, Completion) else sum(result.lengths)
    )
    return Usage(
        decomposer_calls=int(component is Component.DECOMPOSER),
        reader_calls=int(component is Component.READER),
        reasoner_calls=int(component is Component.REASONER),
        synthesizer_calls=int(component is Component.SYNTHESIZER),
        probe_calls=int(component is Component.PROBE),
        prompt_tokens=result.prompt_tokens,
        completion_tokens=generated_tokens,
        seconds=result.seconds,
    )
