"""What every `LanguageModel` must do.

A test class inherits `LanguageModelSuite`, or `CompletionSuite` for a model that cannot score
choices, and defines a fixture ``model``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from argo_ml.models.base import Completion, Generation, LanguageModel, Prompt, Scores, Scoring

SYSTEM = "You answer a question in one short sentence."
QUESTIONS = (
    "What is the capital of France?",
    "What is the chemical symbol of gold, and which number does it have in the periodic table?",
    "Why?",
    "Name one ocean.",
)
CHOICES = ("Paris", "the city of Lima in Peru", "Berlin")
ANY_SCRIPT = Prompt(SYSTEM, "Question: 中国的首都是哪里? Größe \U0001f600")


def generation(question: str, max_new_tokens: int = 8) -> Generation:
    return Generation(Prompt(SYSTEM, f"Question: {question}"), max_new_tokens)


def detailed(question: str, **changes: Any) -> Generation:
    return replace(generation(question), details=True, **changes)


def sampled(question: str, seed: int, **changes: Any) -> Generation:
    return replace(generation(question), temperature=1.0, seed=seed, **changes)


def scoring(question: str, choices: tuple[str, ...] = CHOICES) -> Scoring:
    return Scoring(Prompt(SYSTEM, f"Question: {question}", prefix="Answer:"), choices)


class CompletionSuite:
    """Lists in, lists out: same length, same order, the same result in any company."""

    def test_no_requests_give_no_results(self, model: LanguageModel) -> None:
        assert model.generate([]) == []
        assert model.score([]) == []
        assert model.count_tokens([]) == []

    def test_completions_keep_the_order_of_requests(self, model: LanguageModel) -> None:
        requests = [generation(question) for question in QUESTIONS]
        together = model.generate(requests)
        alone = [model.generate([request])[0] for request in requests]
        assert [_outputs(item) for item in together] == [_outputs(item) for item in alone]

    def test_equal_requests_get_equal_results(self, model: LanguageModel) -> None:
        first, second = generation(QUESTIONS[0]), generation(QUESTIONS[1])
        a, b, c = model.generate([first, second, first])
        [alone] = model.generate([second])
        assert _outputs(a) == _outputs(c)
        assert _outputs(b) == _outputs(alone)

    def test_a_completion_has_at_most_the_tokens_asked_for(self, model: LanguageModel) -> None:
        [short, long] = model.generate([generation(QUESTIONS[1], n) for n in (1, 6)])
        assert short.completion_tokens <= 1
        assert long.completion_tokens <= 6
        assert long.text.startswith(short.text)

    def test_a_completion_ends_before_its_stop_string(self, model: LanguageModel) -> None:
        [full] = model.generate([generation(QUESTIONS[0])])
        stop = full.text.split()[-1]
        prompt = generation(QUESTIONS[0]).prompt
        [cut] = model.generate([Generation(prompt, 8, stop=("\n", stop))])
        assert stop not in cut.text
        assert full.text.startswith(cut.text)

    def test_prompts_have_tokens_and_calls_take_time(self, model: LanguageModel) -> None:
        [completion] = model.generate([generation(QUESTIONS[0])])
        assert completion.prompt_tokens > 0
        assert completion.seconds >= 0

    def test_longer_prompts_have_more_tokens(self, model: LanguageModel) -> None:
        short, long = model.generate([generation("Why?", 1), generation("Why? " * 50, 1)])
        assert long.prompt_tokens > short.prompt_tokens + 45

    def test_tokens_are_counted_per_text(self, model: LanguageModel) -> None:
        assert model.count_tokens(["", "one", "one two three"])[0] == 0
        counts = model.count_tokens(["one", "one two three", "one"])
        assert counts[0] == counts[2] < counts[1]

    def test_text_of_any_script_is_taken(self, model: LanguageModel) -> None:
        [completion] = model.generate([Generation(ANY_SCRIPT, 4)])
        assert completion.prompt_tokens > 0

    def test_details_change_no_text_and_come_only_where_asked_for(
        self, model: LanguageModel
    ) -> None:
        requests = [generation(question) for question in QUESTIONS]
        detailed_requests = [replace(request, details=True) for request in requests]
        for pair in zip(requests, detailed_requests, strict=True):
            plain, with_details = model.generate(pair)
            assert _outputs(plain) == _outputs(with_details)
            assert plain.tokens == ()

    def test_details_are_those_of_the_tokens_of_the_text(self, model: LanguageModel) -> None:
        requests = [detailed(question, stop=()) for question in QUESTIONS]
        for completion in model.generate(requests):
            assert "".join(token.text for token in completion.tokens) == completion.text
            assert 0 < len(completion.tokens) <= completion.completion_tokens

    def test_details_end_before_a_stop_string(self, model: LanguageModel) -> None:
        [full] = model.generate([detailed(QUESTIONS[0], stop=())])
        [cut] = model.generate([detailed(QUESTIONS[0], stop=(full.text[-1],))])
        assert "".join(token.text for token in cut.tokens) == cut.text
        assert len(cut.tokens) <= len(full.tokens)
        assert full.text.startswith(cut.text)

    def test_numbers_of_tokens_are_possible_ones(self, model: LanguageModel) -> None:
        requests = [detailed(QUESTIONS[0]), sampled(QUESTIONS[1], 3, details=True)]
        for token in (
            token for completion in model.generate(requests) for token in completion.tokens
        ):
            assert token.log_probability <= 0
            assert 0 <= token.entropy < math.inf
            assert token.gap >= 0

    def test_a_seed_draws_the_same_text_in_any_company(self, model: LanguageModel) -> None:
        requests = [sampled(question, seed) for question in QUESTIONS[:2] for seed in (1, 2)]
        together = model.generate([*requests, generation(QUESTIONS[2]), detailed(QUESTIONS[3])])
        alone = [model.generate([request])[0] for request in requests]
        again = model.generate(requests[::-1])[::-1]
        expected = [_outputs(item) for item in alone]
        assert [_outputs(item) for item in together[: len(requests)]] == expected
        assert [_outputs(item) for item in again] == expected

    def test_without_temperature_a_seed_changes_nothing(self, model: LanguageModel) -> None:
        greedy = generation(QUESTIONS[0])
        [first] = model.generate([greedy])
        [second] = model.generate([replace(greedy, seed=7)])
        assert _outputs(first) == _outputs(second)

    def test_identity_is_one_stable_line(self, model: LanguageModel) -> None:
        before = model.identity
        model.generate([generation(QUESTIONS[0])])
        assert before == model.identity
        assert before.strip() and "\n" not in before


class LanguageModelSuite(CompletionSuite):
    """The completion suite, and the same properties of scoring choices.

    ``relative_tolerance`` is how far the rounding of another batch may take a log-likelihood.
    """

    relative_tolerance = 1e-4

    def test_scores_keep_the_order_of_requests(self, model: LanguageModel) -> None:
        requests = [scoring(question) for question in QUESTIONS]
        together = model.score(requests)
        alone = [model.score([request])[0] for request in requests]
        for scores, expected in zip(together, alone, strict=True):
            assert scores.lengths == expected.lengths
            assert scores.prompt_tokens == expected.prompt_tokens
            assert self._close(scores, expected)

    def test_order_of_choices_does_not_change_their_scores(self, model: LanguageModel) -> None:
        forward, backward = CHOICES, CHOICES[::-1]
        [a], [b] = (model.score([scoring(QUESTIONS[0], texts)]) for texts in (forward, backward))
        turned = Scores(b.log_likelihoods[::-1], b.lengths[::-1], b.prompt_tokens, b.seconds)
        assert a.lengths == turned.lengths
        assert self._close(a, turned)

    def test_requests_may_differ_in_their_number_of_choices(self, model: LanguageModel) -> None:
        scores = model.score([scoring(QUESTIONS[0], CHOICES[:n]) for n in (1, 3, 2)])
        assert [len(item.log_likelihoods) for item in scores] == [1, 3, 2]
        assert [len(item.lengths) for item in scores] == [1, 3, 2]

    def test_no_choices_have_no_scores(self, model: LanguageModel) -> None:
        [without_choices, other] = model.score([scoring(QUESTIONS[0], ()), scoring(QUESTIONS[0])])
        assert without_choices.log_likelihoods == without_choices.lengths == ()
        assert len(other.log_likelihoods) == 3

    def test_log_likelihoods_are_finite_and_not_positive(self, model: LanguageModel) -> None:
        [scores] = model.score([scoring(QUESTIONS[2])])
        assert all(math.isfinite(value) and value <= 0 for value in scores.log_likelihoods)
        assert all(length >= 1 for length in scores.lengths)

    def test_scored_prompts_have_tokens_and_scoring_takes_time(self, model: LanguageModel) -> None:
        [scores] = model.score([scoring(QUESTIONS[0])])
        assert scores.prompt_tokens > 0
        assert scores.seconds >= 0

    def test_choices_of_any_script_are_taken(self, model: LanguageModel) -> None:
        [scores] = model.score([Scoring(ANY_SCRIPT, ("北京", "Zürich"))])
        assert len(scores.log_likelihoods) == 2

    def _close(self, scores: Scores, expected: Scores) -> bool:
        pairs = zip(scores.log_likelihoods, expected.log_likelihoods, strict=True)
        tolerance = self.relative_tolerance
        return all(math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-3) for a, b in pairs)


def _outputs(completion: Completion) -> tuple[str, int, int]:
    return completion.text, completion.prompt_tokens, completion.completion_tokens
