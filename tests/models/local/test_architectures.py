"""Every architecture: in a batch, alone, with known beginnings and without a cache are one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from argo_ml.errors import ModelError
from argo_ml.models.chat import PromptIds
from argo_ml.models.local import decoding, engine_check
from argo_ml.models.local.decoding import Decoder
from argo_ml.models.local.engine_check import (
    PROVEN,
    Problems,
    TokenDecoder,
    check_fast_path,
    choose_decoder,
)
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.plain_decoding import PlainDecoder
from argo_ml.models.local.prefix_cache import PrefixCache
from argo_ml.models.local.transformers_model import context_tokens
from tests.builders.tiny_architectures import N_IDS, tiny_config, tiny_model

pytestmark = pytest.mark.slow

REPRESENTATIVE = (
    *("bloom", "cohere2", "deepseek_v3", "exaone4", "falcon_h1", "gemma3", "gemma3n_text"),
    *("gemma4_text", "gpt2", "gpt_oss", "granitemoehybrid", "lfm2", "llama", "mamba2", "mixtral"),
    *("nemotron_h", "olmo3", "phi3", "qwen2", "qwen3_moe", "qwen3_next", "zamba2"),
)
"""Every kind of attention, cache and position; `benchmarks.architectures` tries all."""
PLAIN = ("jamba", "mamba", "recurrent_gemma", "rwkv")
"""Architectures that the fast path cannot carry and Transformers' own generate can."""
REFUSED = ("bert", "minimax")
LIMITS = (5, 2, 4, 7)
CHOICES = ((7,), (8, 9, 10), (11, 12))


def prompts() -> list[PromptIds]:
    numbers = torch.Generator().manual_seed(1)
    lengths = (21, 5, 34, 12)
    rows = [torch.randint(3, N_IDS, (n,), generator=numbers).tolist() for n in lengths]
    return [PromptIds(ids, len(ids)) for ids in rows]


def never(*_: Any) -> bool:
    return False


def generated(decoder: TokenDecoder) -> list[list[int]]:
    """New tokens of all prompts in one batch, which rows leave at different times."""
    return decoder.generate(prompts(), LIMITS, never)


def fast(model: Any, prefix_bytes: int = 0) -> Decoder:
    return Decoder(Forward(model), PrefixCache(prefix_bytes))


def log_p(model: Any, ids: Sequence[int]) -> torch.Tensor:
    """Log-probabilities after each of ``ids``, of one pass without a cache."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0]
    return torch.log_softmax(logits.float(), dim=-1)


def assert_most_probable(model: Any, prompt: list[int], new_ids: list[int]) -> None:
    expected = log_p(model, [*prompt, *new_ids])[len(prompt) - 1 : -1].argmax(dim=-1)
    assert new_ids == expected.tolist()


def assert_scores_are_uncached(
    model: Any,
    decoder: TokenDecoder,
    given: Sequence[PromptIds] = (),
    choices: Sequence[Sequence[int]] = CHOICES,
) -> None:
    batch = given or prompts()
    totals = decoder.choice_log_likelihoods(batch, [choices] * len(batch))
    for prompt, row in zip(batch, totals, strict=True):
        for choice, total in zip(choices, row, strict=True):
            after = log_p(model, [*prompt.ids, *choice])[len(prompt.ids) - 1 : -1]
            expected = sum(float(after[at, token]) for at, token in enumerate(choice))
            assert total == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("architecture", REPRESENTATIVE)
def test_batch_single_reused_and_uncached_are_one(architecture: str) -> None:
    model = tiny_model(architecture)

    together = generated(fast(model))

    assert [len(row) for row in together] == list(LIMITS)
    reusing = fast(model, 2**24)
    assert generated(reusing) == together
    assert generated(reusing) == together
    for prompt, limit, new_ids in zip(prompts(), LIMITS, together, strict=True):
        assert fast(model).generate([prompt], [limit], never) == [new_ids]
        assert_most_probable(model, prompt.ids, new_ids)
    assert_scores_are_uncached(model, fast(model))


def test_representatives_are_proven() -> None:
    assert set(REPRESENTATIVE) <= PROVEN


@pytest.mark.parametrize("architecture", REPRESENTATIVE)
@pytest.mark.parametrize("n_bytes", [2**24, 2**13])
def test_beginnings_that_prompts_of_a_batch_share_change_no_result(
    architecture: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is less room than they need."""
    monkeypatch.setattr(decoding, "PASS_TOKENS", 0)
    monkeypatch.setattr(decoding, "WAVE_TOKENS", 0)
    model = tiny_model(architecture)
    [begin] = [prompt.ids for prompt in prompts() if len(prompt.ids) == 34]
    rows = [[*begin, 5, 6], [*begin[:20], 7], [*begin, 8], prompts()[1].ids, begin]
    reusing = fast(model, n_bytes)

    together = reusing.generate([PromptIds(ids, 16) for ids in rows], [4] * 5, never)

    for ids, new_ids in zip(rows, together, strict=True):
        assert_most_probable(model, ids, new_ids)
    others = [PromptIds([*ids[:2], *ids]) for ids in rows]
    assert_scores_are_uncached(model, reusing, others, (*CHOICES, tuple(range(3, 12))))


def test_beginnings_that_prompts_of_a_batch_share_are_computed_once() -> None:
    first = torch.randint(3, N_IDS, (160,), generator=torch.Generator().manual_seed(2)).tolist()
    rows = [[*first, 5], [*first, 6], [*first, 7], [*first, 8], [*first[:100], 8]]
    batch = [PromptIds(ids) for ids in rows]
    reusing, alone = (fast(tiny_model("llama"), n_bytes) for n_bytes in (2**24, 0))

    assert reusing.generate(batch, [1] * 5, never) == alone.generate(batch, [1] * 5, never)

    # The first whole, one token of three others, what follows six blocks of the last, and padding.
    assert reusing.tokens.computed - reusing.tokens.wasted == 161 + 3 + 5
    assert alone.tokens.computed >= 4 * 161 + 101


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss", "deepseek_v3", "qwen3_next", "bamba"])
def test_scores_computed_column_by_column_are_the_same(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "LOGITS_BYTES", 1)
    model = tiny_model(architecture)

    assert_scores_are_uncached(model, fast(model))


@pytest.mark.parametrize("architecture", PLAIN)
def test_plain_path_carries_what_the_fast_one_cannot(architecture: str) -> None:
    model = tiny_model(architecture)
    events: list[str] = []

    decoder = choose_decoder(model, PrefixCache(0), "auto", events.append)

    assert isinstance(decoder, PlainDecoder)
    [line] = events
    assert line.startswith(f"architecture {architecture}: goes through Transformers' own generate")
    for prompt, new_ids in zip(prompts(), generated(decoder), strict=True):
        assert_most_probable(model, prompt.ids, new_ids)
    assert_scores_are_uncached(model, decoder)


@pytest.mark.parametrize("architecture", REFUSED)
@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_architecture_that_nothing_carries_is_refused_by_name(
    architecture: str, engine: str
) -> None:
    with pytest.raises(ModelError, match=f"^architecture {architecture} \\("):
        choose_decoder(tiny_model(architecture), PrefixCache(0), engine, never)


@pytest.mark.parametrize(
    "architecture", ["llama", "gemma3", "gpt2", "deepseek_v3", "qwen3_next", "gpt_oss", "falcon_h1"]
)
def test_plain_path_equals_the_fast_one(architecture: str) -> None:
    model = tiny_model(architecture)
    ours = generated(fast(model))
    scores = fast(model).choice_log_likelihoods(prompts(), [CHOICES] * 4)

    plain = choose_decoder(model, PrefixCache(0), "plain", never)

    assert isinstance(plain, PlainDecoder)
    assert generated(plain) == ours
    for row, other in zip(
        plain.choice_log_likelihoods(prompts(), [CHOICES] * 4), scores, strict=True
    ):
        assert row == pytest.approx(other, abs=2e-3)


def test_plain_path_computes_the_logits_of_a_choice_alone() -> None:
    model, columns = tiny_model("jamba"), list[int]()
    model.register_forward_hook(lambda *given: columns.append(given[-1].logits.shape[1]))

    PlainDecoder(model).choice_log_likelihoods([prompts()[2]], [[(8, 9, 10)]])

    assert columns == [4]


@pytest.fixture
def nothing_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_check, "PROVEN", frozenset())


@pytest.mark.usefixtures("nothing_proven")
@pytest.mark.parametrize("architecture", sorted(PROVEN))
def test_check_passes_all_that_loading_does_not_check(architecture: str) -> None:
    assert check_fast_path(tiny_model(architecture), PrefixCache(2**20)) == Problems()


@pytest.mark.usefixtures("nothing_proven")
def test_check_leaves_no_beginnings_behind() -> None:
    prefixes = PrefixCache(2**20)

    check_fast_path(tiny_model("llama"), prefixes)

    assert prefixes.n_bytes == 0


@pytest.mark.usefixtures("nothing_proven")
def test_check_finds_a_model_that_reads_its_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")
    original = model.forward

    def without_mask(input_ids: Any, attention_mask: Any = None, **rest: Any) -> Any:
        cache = rest.get("cache", rest.get("past_key_values"))
        return original(input_ids=input_ids, cache=cache, use_cache=rest["use_cache"])

    vars(without_mask)["__signature__"] = inspect.signature(original)
    monkeypatch.setattr(model, "forward", without_mask)

    assert "off by" in check_fast_path(model, PrefixCache(2**20)).path


def test_positions_by_column_are_found_once_beginnings_are_known() -> None:
    """MPT's bias goes by columns: padding between the known tokens and the others moves them."""
    problems = check_fast_path(tiny_model("mpt"), PrefixCache(2**20))

    assert problems.path == ""
    assert "off by" in problems.beginnings
    assert check_fast_path(tiny_model("mpt"), PrefixCache(0)) == Problems()


def test_a_window_by_columns_is_not_trusted_with_beginnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GPT-Neo's: one wider than what is checked would be found too late."""
    model = tiny_model("gpt_neo")

    assert "window_size" in check_fast_path(model, PrefixCache(2**20)).beginnings
    monkeypatch.setattr(engine_check, "_window", lambda _: "")
    assert "off by" in check_fast_path(model, PrefixCache(2**20)).beginnings


@pytest.mark.parametrize("architecture", ["mpt", "gpt_neo"])
def test_a_model_whose_beginnings_cannot_be_reused_computes_them_anew(architecture: str) -> None:
    events: list[str] = []
    model, prefixes = tiny_model(architecture), PrefixCache(2**20)

    decoder = choose_decoder(model, prefixes, "auto", events.append)

    assert isinstance(decoder, Decoder)
    [line] = events
    assert line.startswith(f"architecture {architecture}: beginnings that prompts share are comput")
    batches = [prompts(), [PromptIds([*prompt.ids, 7, 9]) for prompt in prompts()]]
    for batch in batches:
        for prompt, new_ids in zip(batch, decoder.generate(batch, LIMITS, never), strict=True):
            assert_most_probable(model, prompt.ids, new_ids)
        assert_scores_are_uncached(model, decoder, batch)
    assert prefixes.n_bytes == 0


def test_context_of_a_composite_configuration_is_that_of_its_text() -> None:
    assert context_tokens(tiny_config("gemma3")) == 256
