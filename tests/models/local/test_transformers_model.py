from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from argo_ml.config import ExperimentSpec
from argo_ml.devices import limits
from argo_ml.errors import ModelError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import CountsTokens, Generation, Prompt, Scoring
from argo_ml.models.deferred import load_now
from argo_ml.models.local.recovery import RecoveringModel
from argo_ml.models.local.transformers_model import TransformersModel
from argo_ml.models.unfit import SomeUnfitError
from argo_ml.randomness import derived_rng
from argo_ml.testing.models import LanguageModelSuite

pytestmark = pytest.mark.slow


SYSTEM = "You answer a question from passages."
PASSAGE = "Suva is the capital of Fiji. It lies on the island of Viti Levu."
QUESTIONS = (
    "What is the capital of France?",
    f"Passages:\n{PASSAGE}\n\nQuestion: What is the capital of Fiji?",
    "What is 2 + 2?",
)
CHOICES = ("Paris", " Suva", "the Federal Republic of Germany", "+972", "\u65e5\u672c")


class TestModelOfAGgufFile(LanguageModelSuite):
    @pytest.fixture
    def model(self, tiny: LanguageModel) -> LanguageModel:
        return tiny


class TestModelWithoutChatTemplate(LanguageModelSuite):
    @pytest.fixture
    def model(self, plain: LanguageModel) -> LanguageModel:
        return plain


@pytest.fixture(scope="module")
def tiny(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return open_folder(tiny_gguf, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def plain_folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer has neither chat template nor padding token."""
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(tiny_folder, folder, dirs_exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (folder / "chat_template.jinja").unlink()
    tokenizer.chat_template = None
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return open_folder(plain_folder, tmp_path_factory.mktemp("cache"))


def open_folder(folder: Path, cache: Path, **fields: Any) -> LanguageModel:
    return load_model(ExperimentSpec(model=str(folder), cache_dir=cache, device="cpu", **fields))


HISTORY = "Question: What is the currency of Fiji?\n\nFacts found so far:"
FACTS = tuple(f"\n- Fact number {n} is that the answer is not {n * 37}." for n in range(4))


def growing_prompts() -> list[Prompt]:
    """Each repeats the history of the one before and adds a fact."""
    return [
        Prompt(SYSTEM, "\n\nWhat next?", history=HISTORY + "".join(FACTS[:n])) for n in range(4)
    ]


def test_reused_beginnings_change_no_result(tiny_folder: Path, tmp_path: Path) -> None:
    reusing = open_folder(tiny_folder, tmp_path, prefix_cache_mb=64)
    plain = open_folder(tiny_folder, tmp_path, prefix_cache_mb=0)

    for prompt in growing_prompts():
        # Beside a prompt without a known beginning, and one that is known whole.
        batch = [prompt, Prompt(SYSTEM, QUESTIONS[1]), growing_prompts()[0]]
        requests = [Generation(member, 6, stop=()) for member in batch]
        for result, expected in zip(
            reusing.generate(requests), plain.generate(requests), strict=True
        ):
            assert result.text == expected.text
            assert result.prompt_tokens == expected.prompt_tokens
        [scores] = reusing.score([Scoring(prompt, CHOICES)])
        [alone] = plain.score([Scoring(prompt, CHOICES)])
        assert scores.log_likelihoods == pytest.approx(alone.log_likelihoods, rel=1e-5)


def test_history_is_the_beginning_of_the_turn(tiny: LanguageModel) -> None:
    split = Prompt(SYSTEM, "Tell me.", history="Facts:\n- One.\n\n")
    whole = Prompt(SYSTEM, "Facts:\n- One.\n\nTell me.")

    [a, b] = tiny.generate([Generation(prompt, 6, stop=()) for prompt in (split, whole)])

    assert (a.text, a.prompt_tokens) == (b.text, b.prompt_tokens)


def test_longer_history_computes_its_end_alone(tiny_folder: Path, tmp_path: Path) -> None:
    model = loaded(open_folder(tiny_folder, tmp_path, prefix_cache_mb=64))
    first, second = growing_prompts()[2:]
    model.generate([Generation(first, 1)])
    [prompt] = model._encode([Generation(second, 1)])

    known = model._prefixes.cached_tokens(prompt.ids)
    n_shared = model._encode([Generation(first, 1)])[0].n_reusable
    assert n_shared - 16 <= known <= n_shared < prompt.n_reusable
    assert known >= 32


def prompts(prefix: str = "") -> list[Prompt]:
    return [Prompt(SYSTEM, question, prefix) for question in QUESTIONS]


def naive_log_likelihood(model: Any, prompt: Sequence[int], choice: Sequence[int]) -> float:
    """One forward pass over prompt and choice, without padding or cache."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *choice]]), use_cache=False).logits[0]
    rows = torch.log_softmax(logits.double(), dim=-1)[len(prompt) - 1 : -1]
    return float(sum(row[token] for row, token in zip(rows, choice, strict=True)))


@pytest.fixture
def library_model(smollm: LanguageModel) -> tuple[Any, Any]:
    """Model and tokenizer to use without any of this package."""
    model = loaded(smollm)
    return model._network, model._tokenizer


def loaded(model: LanguageModel) -> TransformersModel:
    """What stands behind the recovery from running out of memory."""
    model = load_now(model)
    assert isinstance(model, RecoveringModel)
    return model.loaded


@pytest.mark.slow
def test_scores_equal_a_plain_forward_pass(
    smollm: LanguageModel, library_model: tuple[Any, Any]
) -> None:
    model, tokenizer = library_model
    scorings = [Scoring(prompt, CHOICES) for prompt in prompts("Answer:")]
    for question, scores in zip(QUESTIONS, smollm.score(scorings), strict=True):
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(f"{text}Answer:").input_ids
        assert scores.prompt_tokens == len(ids)
        for choice, value, length in zip(
            CHOICES, scores.log_likelihoods, scores.lengths, strict=True
        ):
            choice_ids = tokenizer(f" {choice}").input_ids
            assert length == len(choice_ids)
            assert value == pytest.approx(naive_log_likelihood(model, ids, choice_ids), abs=1e-3)


def test_completions_equal_those_of_the_library(
    smollm: LanguageModel, library_model: tuple[Any, Any]
) -> None:
    model, tokenizer = library_model
    completions = smollm.generate([Generation(prompt, 6) for prompt in prompts()])
    for question, completion in zip(QUESTIONS, completions, strict=True):
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        ids = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**ids, do_sample=False, max_new_tokens=6)
        new = output[0, ids["input_ids"].shape[1] :]
        text = tokenizer.decode(new, skip_special_tokens=True)
        assert completion.text == text.lstrip().split("\n")[0]


@pytest.mark.slow
def test_completions_are_the_same_alone_and_in_a_batch(smollm: LanguageModel) -> None:
    requests = [Generation(prompt, limit) for prompt in prompts() for limit in (2, 6)]
    together = [item.text for item in smollm.generate(requests)]
    assert together == [smollm.generate([request])[0].text for request in requests]


def test_the_model_reads_and_knows(smollm: LanguageModel) -> None:
    known, read, _ = smollm.generate([Generation(prompt, 8) for prompt in prompts()])
    assert "Paris" in known.text
    assert "Suva" in read.text


def naive_tokens(
    library: Any, ids: list[int], n_tokens: int, temperature: float, draws: random.Random
) -> list[tuple[int, float, float, float]]:
    """Each token with its log-probability, entropy and gap, without padding or cache."""
    tokens = []
    for _ in range(n_tokens):
        with torch.inference_mode():
            logits = library(torch.tensor([ids]), use_cache=False).logits[0, -1].double()
        log_p = torch.log_softmax(logits, dim=-1)
        token = int(log_p.argmax())
        if temperature:
            shares = torch.softmax(logits / temperature, dim=-1).cumsum(dim=-1)
            token = int((shares > draws.random()).nonzero()[0])
        first, second = log_p.topk(2).values.tolist()
        entropy = -float((log_p.exp() * log_p).sum())
        tokens.append((token, float(log_p[token]), entropy, first - second))
        ids = [*ids, token]
    return tokens


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
def test_details_and_draws_equal_a_plain_computation(
    tiny: LanguageModel, temperature: float
) -> None:
    model = loaded(tiny)
    requests = [
        Generation(prompt, 6, stop=(), temperature=temperature, seed=5, details=True)
        for prompt in prompts()
    ]
    # Beside rows that ask for other things and end at other times.
    company = [Generation(prompt, 3) for prompt in prompts("Answer:")]
    for request, completion in zip(requests, tiny.generate([*requests, *company]), strict=False):
        [prompt] = model._encode([request])
        draws = derived_rng(5, request.prompt.system, request.prompt.turn, "", "sampling")
        expected = naive_tokens(
            model._network, prompt.ids, completion.completion_tokens, temperature, draws
        )
        assert (
            completion.text == model._tokenizer.decode([token for token, *_ in expected]).lstrip()
        )
        assert [
            number
            for token in completion.tokens
            for number in (token.log_probability, token.entropy, token.gap)
        ] == pytest.approx([number for _, *numbers in expected for number in numbers], abs=1e-4)


def test_every_token_of_the_text_is_told_of(tiny: LanguageModel) -> None:
    # The model writes nothing but letters, one a token, and does not end its turn.
    [completion] = tiny.generate([Generation(Prompt(SYSTEM, "Why?"), 9, stop=(), details=True)])
    assert [token.text for token in completion.tokens] == list(completion.text)
    assert len(completion.tokens) == completion.completion_tokens == 9


def test_the_token_that_is_the_stop_is_not_told_of(tiny: LanguageModel) -> None:
    prompt = Prompt(SYSTEM, "Why?")
    [full] = tiny.generate([Generation(prompt, 9, stop=())])
    stop = full.text[4:6]
    [cut] = tiny.generate([Generation(prompt, 9, stop=(stop,), details=True)])
    assert full.text.startswith(cut.text + stop)
    assert [token.text for token in cut.tokens] == list(cut.text)
    assert cut.completion_tokens == len(cut.tokens) + 2


def test_the_end_of_the_turn_is_not_told_of(smollm: LanguageModel) -> None:
    prompt = Prompt("Answer in one word.", "What is the capital of France?")
    [completion] = smollm.generate([Generation(prompt, 24, stop=(), details=True)])
    assert "".join(token.text for token in completion.tokens) == completion.text
    assert len(completion.tokens) < completion.completion_tokens < 24


def test_plain_requests_compute_nothing_more_beside_those_with_details(
    tiny: LanguageModel,
) -> None:
    plain = [Generation(prompt, 6) for prompt in prompts()]
    with_details = [replace(request, details=True) for request in plain]
    mixed = tiny.generate([with_details[0], *plain, with_details[1]])
    for completion, expected in zip(mixed[1:-1], tiny.generate(plain), strict=True):
        assert replace(completion, seconds=0.0) == replace(expected, seconds=0.0)


def test_the_order_of_choices_changes_no_score(tiny: LanguageModel) -> None:
    forwards, backwards = (
        tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer:"), choices)])[0].log_likelihoods
        for choices in (CHOICES, CHOICES[::-1])
    )
    assert backwards[::-1] == pytest.approx(forwards, rel=1e-5)


def test_a_choice_gets_a_space_unless_the_prompt_ends_in_one(tiny: LanguageModel) -> None:
    [after_colon] = tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer:"), ("Paris",))])
    [after_space] = tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer: "), ("Paris",))])
    [without_prefix] = tiny.score([Scoring(Prompt(SYSTEM, "?"), ("Paris",))])
    assert tiny.count_tokens([" Paris", "Paris"]) == [4, 5]
    assert after_colon.lengths == (4,)
    assert after_space.lengths == without_prefix.lengths == (5,)


def test_a_choice_that_would_merge_into_the_prompt_is_tokenized_alone(
    tiny: LanguageModel,
) -> None:
    [apart] = tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer:"), ("Paris",))])
    [merging] = tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer: "), ("Paris", "x"))])
    # " Pa" is one token, so the space of the prompt and "Pa" would merge.
    assert tiny.count_tokens([" Pa", " ", "Pa"]) == [1, 1, 2]
    assert merging.prompt_tokens == apart.prompt_tokens + 1
    assert merging.lengths == (5, 1)


def test_a_choice_without_text_is_refused(tiny: LanguageModel) -> None:
    with pytest.raises(ModelError, match="choice='': has no text"):
        tiny.score([Scoring(Prompt(SYSTEM, "?", "Answer:\n"), ("",))])


def test_a_prompt_longer_than_the_context_is_refused(tiny: LanguageModel) -> None:
    long, short = (Generation(Prompt(SYSTEM, "word " * n), 8) for n in (820, 3))
    with pytest.raises(SomeUnfitError, match=r"need \d+ tokens, the model takes 4096") as caught:
        tiny.generate([short, long])
    assert list(caught.value.refused) == [1]
    assert caught.value.finished[0].text == tiny.generate([short])[0].text


def test_room_for_reasoning_is_what_the_context_leaves(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, limits = loaded(tiny), []
    [thought] = model._plain_ids(["<think>"])

    def generate(prompts: Sequence[Any], most: Sequence[int], *_: Any) -> list[list[int]]:
        limits.extend(most)
        return [thought for _ in prompts]

    monkeypatch.setattr(model._decoder, "generate", generate)
    monkeypatch.setattr(model._chat, "may_think", True)
    # As after other requests with reasoning, which must not decide whether this one fits.
    monkeypatch.setattr(model, "_has_thought", True)
    short, long = model.generate([Generation(Prompt(SYSTEM, "word " * n), 8) for n in (3, 780)])

    assert sorted(limits) == [4096 - long.prompt_tokens, 1032]
    assert 8 <= min(limits) < 300
    assert short.text == long.text == "<think>"


def test_scoring_beyond_the_context_leaves_the_others_scored(tiny: LanguageModel) -> None:
    long, short = (Scoring(Prompt(SYSTEM, "word " * n, "Answer:"), ("a", "b")) for n in (820, 3))
    with pytest.raises(SomeUnfitError) as caught:
        tiny.score([long, short])
    assert (list(caught.value.refused), list(caught.value.finished)) == ([0], [1])


def test_an_empty_prompt_of_a_model_without_template_is_refused(
    plain: LanguageModel,
) -> None:
    with pytest.raises(ModelError, match="a prompt has no text"):
        plain.generate([Generation(Prompt("", ""), 8)])


def test_batches_do_not_change_scores(plain_folder: Path, tmp_path: Path) -> None:
    requests = [Scoring(prompt, CHOICES) for prompt in prompts("Answer:")]
    large = open_folder(plain_folder, tmp_path).score(requests)
    small = open_folder(plain_folder, tmp_path, batch_tokens=128).score(requests)
    for a, b in zip(large, small, strict=True):
        assert a.log_likelihoods == pytest.approx(b.log_likelihoods, abs=1e-4)


def test_batches_are_smaller_while_memory_is_short_and_answers_are_the_same(
    plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_folder(plain_folder, tmp_path, prefix_cache_mb=0)
    requests = [Generation(Prompt("", f"{n} " + "word " * 40), 3, stop=()) for n in range(6)]
    rows: list[int] = []

    def record(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        rows.append(named["input_ids"].shape[0])

    loaded(model)._network.register_forward_pre_hook(record, with_kwargs=True)
    expected = [completion.text for completion in model.generate(requests)]
    assert max(rows) == 6

    monkeypatch.setattr(limits, "available_bytes", lambda: 0)
    rows.clear()
    assert [completion.text for completion in model.generate(requests)] == expected
    assert max(rows) < 6


def test_padding_and_finished_rows_are_counted(plain_folder: Path, tmp_path: Path) -> None:
    model = open_folder(plain_folder, tmp_path, prefix_cache_mb=0)
    assert isinstance(model, CountsTokens)
    short, long = Prompt("", "one"), Prompt("", "one and some")
    model.score([Scoring(short, ("x", "y"))])
    alone = model.tokens
    assert alone.computed > alone.wasted == 0
    model.score([Scoring(short, ("x",)), Scoring(long, ("xyz",))])
    together = model.tokens - alone
    assert 0 < together.wasted < together.computed


@pytest.mark.slow
def test_identity_depends_on_contents_and_precision_and_not_on_the_path(
    plain_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in plain_folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    first = open_folder(plain_folder, tmp_path).identity
    assert open_folder(copy, tmp_path).identity == first
    assert open_folder(copy, tmp_path, batch_tokens=200).identity == first
    assert open_folder(copy, tmp_path, precision="bfloat16").identity != first
    assert " plain " in first
    settings = (copy / "generation_config.json").read_text()
    (copy / "generation_config.json").write_text(settings + "\n")
    assert open_folder(copy, tmp_path).identity != first


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precisions_run_on_the_cpu(
    plain_folder: Path, tmp_path: Path, precision: str
) -> None:
    model = open_folder(plain_folder, tmp_path, precision=precision)
    [scores] = model.score([Scoring(Prompt(SYSTEM, "Why?"), ("because", "of it"))])
    assert all(value < 0 for value in scores.log_likelihoods)


def test_memory_that_runs_out_halves_the_batches_for_good(
    plain_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = AutoModelForCausalLM.from_pretrained(plain_folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    rows: list[int] = []

    def limited(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        rows.append(named["input_ids"].shape[0])
        if rows[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    library.register_forward_pre_hook(limited, with_kwargs=True)
    model = TransformersModel(library, tokenizer, "tiny", "float32", batch_tokens=4096)
    requests = [Generation(Prompt(SYSTEM, f"Number {n}"), 2, stop=()) for n in range(8)]
    with caplog.at_level(logging.WARNING):
        assert len(model.generate(requests)) == 8
        n_warnings = len(caplog.records)
        assert len(model.generate(requests)) == 8
    assert n_warnings == len(caplog.records) == 2


def test_finished_rows_leave_the_batch(plain_folder: Path) -> None:
    library = AutoModelForCausalLM.from_pretrained(plain_folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    rows: list[int] = []

    def record(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        rows.append(named["input_ids"].shape[0])

    library.register_forward_pre_hook(record, with_kwargs=True)
    model = TransformersModel(library, tokenizer, "tiny", "float32", batch_tokens=4096)
    prompt = Prompt(SYSTEM, "What is the capital of France?")
    model.generate([Generation(prompt, limit) for limit in (1, 2, 4)])
    assert rows == [3, 2, 1, 1]


def test_output_that_is_not_a_number_is_an_error(plain_folder: Path) -> None:
    library = AutoModelForCausalLM.from_pretrained(plain_folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    with torch.no_grad():
        library.model.norm.weight.fill_(float("nan"))
    model = TransformersModel(library, tokenizer, "tiny", "float32", 4096)
    with pytest.raises(ModelError, match="not a number in float32"):
        model.generate([Generation(Prompt(SYSTEM, "Why?"), 2)])
    with pytest.raises(ModelError, match="not a number in float32"):
        model.score([Scoring(Prompt(SYSTEM, "Why?"), ("a",))])
