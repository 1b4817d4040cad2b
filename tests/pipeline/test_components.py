from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from argo_ml.models.base import Generation, Scores, Scoring
from argo_ml.pipeline import prompts
from argo_ml.pipeline.components import (
    Decomposer,
    Reader,
    Reasoner,
    SubAnswer,
    Synthesizer,
    usage_of,
)
from argo_ml.pipeline.requests import Requesting, Retrieval
from argo_ml.types import Action, Component, Evidence, Passage, Question, Step, Usage

OPEN = Question("q", "Which code has the capital of France?", answers=("33",))
CHOOSING = Question("q", "Which code?", choices=("33", "44", "55"), gold=(0,))
FIRST = Step("What is the capital?", Action.RETRIEVE, "Paris.", 0.25, 0.1)


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def retrieval(*hits: tuple[str, str, float]) -> Step:
    evidence = tuple(Evidence(Passage(id, text), similarity) for id, text, similarity in hits)
    return Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, 0.1, evidence=evidence)


class TestDecomposer:
    def test_first_step_asks_the_question_without_a_call(self, world: Any) -> None:
        sub_question = world.run(Decomposer(24).ask(OPEN, ()))
        assert (sub_question.text, sub_question.fallback, sub_question.usage) == (
            OPEN.text,
            False,
            Usage(),
        )
        assert world.requests == []

    def test_later_step_asks_what_the_model_wrote(self, world: Any) -> None:
        world.write = lambda request: "  What is its code? "
        sub_question = world.run(Decomposer(24).ask(OPEN, (FIRST,)))
        assert (sub_question.text, sub_question.fallback) == ("What is its code?", False)
        assert world.requests == [Generation(prompts.decomposer(OPEN.text, [FIRST]), 24)]
        assert sub_question.usage == Usage(
            decomposer_calls=1, prompt_tokens=10, completion_tokens=2, seconds=0.5
        )

    @pytest.mark.parametrize(
        "written", ["", "  \n", "What is the capital?", " what is  the CAPITAL? "]
    )
    def test_empty_or_repeated_falls_back_to_the_question(self, world: Any, written: str) -> None:
        world.write = lambda request: written
        sub_question = world.run(Decomposer(24).ask(OPEN, (FIRST,)))
        assert (sub_question.text, sub_question.fallback) == (OPEN.text, True)
        assert sub_question.usage.decomposer_calls == 1


def answered(reader: Reader, question: str, channel: random.Random) -> Requesting[SubAnswer]:
    """The parts of a retrieval, one after the other as an episode runs them."""
    hits = yield from reader.search(question)
    return (yield from reader.read(question, reader.delivered(hits, channel)))


class TestReader:
    def test_answers_from_the_evidence_it_found(self, world: Any) -> None:
        sub_answer = world.run(answered(Reader(2, 0.3, 1.0, 24), "Which?", random.Random(0)))
        assert world.requests[0] == Retrieval("Which?", 2)
        assert "text 0 of Which?" in world.generations[0].prompt.turn
        assert (sub_answer.text, sub_answer.succeeded, len(sub_answer.evidence)) == (
            "some text",
            True,
            3,
        )
        assert sub_answer.usage.reader_calls == sub_answer.usage.calls == 1

    def test_passages_below_the_similarity_are_neither_read_nor_kept(self, world: Any) -> None:
        sub_answer = world.run(answered(Reader(3, 0.8, 1.0, 24), "Which?", random.Random(0)))
        assert [hit.passage.id for hit in sub_answer.evidence] == ["p0", "p1"]
        assert "text 2" not in world.generations[0].prompt.turn

    def test_similarity_that_just_reaches_the_minimum_succeeds(self, world: Any) -> None:
        world.find = lambda request: (Evidence(Passage("p", "text"), 0.3),)
        assert world.run(answered(Reader(1, 0.3, 1.0, 24), "Which?", random.Random(0))).succeeded

    @pytest.mark.parametrize("hits", [(), (Evidence(Passage("p", "text"), 0.29),)])
    def test_without_evidence_it_fails_and_calls_no_model(
        self, world: Any, hits: tuple[Evidence, ...]
    ) -> None:
        world.find = lambda request: hits
        sub_answer = world.run(answered(Reader(1, 0.3, 1.0, 24), "Which?", random.Random(0)))
        assert (sub_answer.text, sub_answer.succeeded, sub_answer.evidence) == ("", False, ())
        assert sub_answer.usage == Usage()
        assert world.generations == []

    def test_channel_loses_its_share_of_retrievals(self, world: Any) -> None:
        reader = Reader(1, 0.3, 0.7, 24)
        delivered = [
            world.run(answered(reader, "Which?", random.Random(seed))).succeeded
            for seed in range(400)
        ]
        assert 250 <= sum(delivered) <= 310

    def test_channel_loss_depends_on_the_generator_alone(self, world: Any) -> None:
        generators = [random.Random(3) for _ in range(2)]
        for generator, question in zip(generators, ("Found?", "Not found?"), strict=True):
            world.find = lambda request: ()
            world.run(answered(Reader(1, 0.3, 0.7, 24), question, generator))
        assert generators[0].getstate() == generators[1].getstate()


class TestReasoner:
    def test_answers_from_the_history_and_retrieves_nothing(self, world: Any) -> None:
        sub_answer = world.run(Reasoner(24).answer(OPEN, (FIRST,), "What is its code?"))
        prompt = prompts.reasoner(OPEN.text, [FIRST], "What is its code?")
        assert world.requests == [Generation(prompt, 24)]
        assert (sub_answer.text, sub_answer.succeeded, sub_answer.evidence) == (
            "some text",
            True,
            (),
        )
        assert sub_answer.usage.reasoner_calls == sub_answer.usage.calls == 1


class TestSynthesizer:
    @staticmethod
    def make(answering: str = "likelihood", evidence_tokens: int = 100) -> Synthesizer:
        return Synthesizer(answering, evidence_tokens, 24, count_words)

    def test_open_question_is_answered_in_text(self, world: Any) -> None:
        world.write = lambda request: " 33 "
        final = world.run(self.make().answer(OPEN, (FIRST,)))
        assert (final.answer.text, final.answer.choice, final.answer.parsed) == ("33", None, True)
        assert final.usage.synthesizer_calls == final.usage.calls == 1

    def test_empty_text_is_no_answer(self, world: Any) -> None:
        world.write = lambda request: " "
        assert not world.run(self.make().answer(OPEN, ())).answer.parsed

    def test_reasoning_is_no_part_of_an_answer(self, world: Any) -> None:
        world.write = lambda request: "<think>\nIt is 2 or 3.\n</think>\n\n33"
        answer = world.run(self.make().answer(OPEN, ())).answer
        assert (answer.text, answer.parsed) == ("33", True)

    @pytest.mark.parametrize("question", [OPEN, CHOOSING])
    def test_reasoning_without_an_end_is_kept_and_no_answer(
        self, world: Any, question: Question
    ) -> None:
        world.write = lambda request: "<think>\nIt is 2"
        answer = world.run(self.make("number").answer(question, ())).answer
        assert (answer.text, answer.choice, answer.parsed) == ("<think>\nIt is 2", None, False)

    def test_likelihood_chooses_by_log_likelihood_per_token(self, world: Any) -> None:
        synthesizing = self.make().answer(CHOOSING, ())
        request = next(synthesizing)
        assert isinstance(request, Scoring)
        assert request.choices == CHOOSING.choices
        assert request.prompt == prompts.synthesizer(CHOOSING.text, (), ())
        with pytest.raises(StopIteration) as stop:
            synthesizing.send(Scores((-3.0, -4.0, -4.5), (1, 2, 1), 20, 0.1))
        answer = stop.value.value.answer
        assert (answer.text, answer.choice, answer.parsed) == ("44", 1, True)
        assert answer.scores == (-3.0, -2.0, -4.5)

    def test_number_is_read_from_the_text(self, world: Any) -> None:
        world.write = lambda request: "The answer is 2."
        answer = world.run(self.make("number").answer(CHOOSING, ())).answer
        assert (answer.text, answer.choice, answer.parsed) == ("The answer is 2.", 1, True)
        assert "2. 44" in world.generations[0].prompt.turn

    def test_unreadable_number_is_no_choice(self, world: Any) -> None:
        world.write = lambda request: "I do not know"
        answer = world.run(self.make("number").answer(CHOOSING, ())).answer
        assert (answer.text, answer.choice, answer.parsed) == ("I do not know", None, False)

    def test_evidence_of_the_whole_history_reaches_the_prompt(self, world: Any) -> None:
        steps = (retrieval(("a", "first text", 0.9)), retrieval(("b", "second text", 0.8)))
        world.run(self.make().answer(OPEN, steps))
        assert "first text\n\nsecond text" in world.generations[0].prompt.turn

    def test_best_passage_of_every_retrieval_comes_before_second_ones(self) -> None:
        steps = (
            retrieval(("a1", "one", 0.9), ("a2", "two", 0.8)),
            retrieval(("b1", "three", 0.5), ("b2", "four", 0.4)),
        )
        selected = self.make().select_passages(steps)
        assert [passage.id for passage in selected] == ["a1", "b1", "a2", "b2"]

    def test_passage_found_twice_is_given_once(self) -> None:
        steps = (retrieval(("a", "one", 0.9), ("b", "two", 0.8)), retrieval(("b", "two", 0.9)))
        assert [passage.id for passage in self.make().select_passages(steps)] == ["a", "b"]

    def test_budget_passes_over_what_does_not_fit(self) -> None:
        step = retrieval(("a", "one two", 0.9), ("b", "one two three", 0.8), ("c", "one", 0.7))
        selected = self.make(evidence_tokens=3).select_passages((step,))
        assert [passage.id for passage in selected] == ["a", "c"]

    def test_titles_count_against_the_budget(self) -> None:
        titled = Evidence(Passage("a", "one two", title="A Title"), 0.9)
        step = Step("?", Action.RETRIEVE, "!", 0.25, 0.1, evidence=(titled,))
        assert self.make(evidence_tokens=3).select_passages((step,)) == []
        assert self.make(evidence_tokens=4).select_passages((step,)) == [titled.passage]

    def test_budget_of_zero_leaves_no_passages(self, world: Any) -> None:
        world.run(self.make(evidence_tokens=0).answer(OPEN, (retrieval(("a", "one", 0.9)),)))
        assert "Passages" not in world.generations[0].prompt.turn


def test_usage_of_scores_counts_the_tokens_of_all_choices() -> None:
    usage = usage_of(Component.SYNTHESIZER, Scores((-1.0, -2.0), (3, 4), 20, 0.25))
    assert usage == Usage(synthesizer_calls=1, prompt_tokens=20, completion_tokens=7, seconds=0.25)
