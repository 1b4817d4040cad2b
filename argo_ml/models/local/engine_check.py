"""Whether a loaded model comes out of the fast path as it does of one pass without a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import cache_utils

from argo_ml.errors import ModelError, one_line
from argo_ml.models.base import TokenCounts
from argo_ml.models.chat import PromptIds
from argo_ml.models.local.decoding import Choose, Decoder, TokenIds
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.growing_cache import GrowingLayer, empty_cache, keeps_every_token
from argo_ml.models.local.hidden_states import OnStates
from argo_ml.models.local.plain_decoding import PlainDecoder
from argo_ml.models.local.prefix_cache import PrefixCache

PROVEN = frozenset(
    """
    afmoe apertus arcee bamba bloom cohere cohere2 deepseek_v2 deepseek_v3 ernie4_5 ernie4_5_moe
    exaone4 falcon_h1 gemma gemma2 gemma3 gemma3_text gemma3n_text gemma4_text glm glm4 glm4_moe
    gpt2 gpt_neox gpt_oss granite granitemoe granitemoehybrid hunyuan_v1_dense lfm2 lfm2_moe llama
    mamba2 ministral mistral mixtral nemotron nemotron_h olmo olmo2 olmo3 olmoe phi phi3 qwen2
    qwen2_moe qwen3 qwen3_5_text qwen3_moe qwen3_next smollm3 starcoder2 zamba2
    """.split()  # noqa: SIM905
)
"""Kinds of model that were built tiny and found equal in a batch, alone and without a cache, by
``python -m benchmarks.architectures``. Any other is checked when it is loaded, as the test suite
checks these."""

BROKEN = {"minimax": "Transformers' cache of it is wrong beyond a block of tokens (256)"}
"""Kinds of model that only prompts longer than those of a check show to be wrong."""

CARRIED_LAYERS = (
    GrowingLayer,
    cache_utils.DynamicSlidingWindowLayer,
    cache_utils.LinearAttentionLayer,
    cache_utils.LinearAttentionAndFullAttentionLayer,
    cache_utils.LinearAttentionAndSlidingWindowAttentionLayer,
    cache_utils.DummyLayer,
)
"""Layers of a cache whose rows can be selected, and whose padding a mask hides."""

TOLERANCE = {torch.float32: 0.002}
COARSE_TOLERANCE = 0.2
"""Largest difference of logits, in their standard deviations: rounding stays far below, and what
padding or a wrong state does lies far above."""

N_NEW_TOKENS = (3, 1, 2)
"""Rows of one batch leave it at different times."""
N_CHOICE_TOKENS = 6
"""Of a choice that is scored, beside one of a single token, so that this is padded."""
PASS_TOKENS = 6
"""As a pass of the check costs: little, so that long and short prompts are computed apart and then
joined, while those of similar length are padded."""

_FAILURES = (
    *(RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError),
    ArithmeticError,
)
"""What architectures raise that take the arguments of the fast path and cannot use them."""


class TokenDecoder(Protocol):
    """What a backend needs of a way to compute tokens; `Decoder` says what its methods do."""

    tokens: TokenCounts
    batches: bool
    """Whether it computes several prompts at once."""

    def generate(
        self,
        prompts: Sequence[PromptIds],
        limits: Sequence[int],
        is_finished: Callable[[int, list[int]], bool],
        choose: Choose = ...,
        on_states: OnStates | None = None,
    ) -> list[list[int]]: ...

    def choice_log_likelihoods(
        self,
        prompts: Sequence[PromptIds],
        choices: Sequence[Sequence[TokenIds]],
        on_states: OnStates | None = None,
    ) -> list[list[float]]: ...


@dataclass(frozen=True, slots=True)
class Problems:
    """Why the fast path cannot carry a model, or cannot reuse known beginnings; empty: it can."""

    path: str = ""
    beginnings: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt, how it goes on, and the logits before each new token of a pass without a cache.

    So many of the new tokens, ``n_generated``, are generated; all are scored.
    """

    prompt: PromptIds
    new: list[int]
    expected: torch.Tensor
    n_generated: int


def choose_decoder(
    model: Any, prefixes: PrefixCache, engine: str, on_event: Callable[[str], None]
) -> TokenDecoder:
    """The fast path for ``engine`` auto where it carries the model, else the plain one.

    ``on_event`` receives why the fast path was left, or keeps no beginnings. Raises `ModelError`
    for a model that neither carries, with its architecture.
    """
    auto = engine == "auto"
    problems = check_fast_path(model, prefixes) if auto else Problems()
    architecture = f"architecture {model.config.model_type}"
    if auto and not problems.path:
        if problems.beginnings:
            prefixes.keep_nothing()
            on_event(
                f"{architecture}: beginnings that prompts share are computed anew for each, since "
                f"{problems.beginnings}"
            )
        return Decoder(Forward(model), prefixes)
    decoder = PlainDecoder(model)
    if model.config.model_type not in PROVEN:
        check_plain(model, decoder)
    if problems.path:
        on_event(
            f"{architecture}: goes through Transformers' own generate, one prompt at a time "
            f"(engine=plain), since {problems.path}"
        )
    decoder.tokens = TokenCounts()
    return decoder


def check_fast_path(model: Any, prefixes: PrefixCache) -> Problems:
    """What keeps the fast path from ``model``; what ``prefixes`` hold is forgotten."""
    try:
        forward = Forward(model)
        cache = empty_cache(model.config)
    except (ModelError, *_FAILURES) as error:
        return Problems(one_line(error))
    unknown = [type(layer).__name__ for layer in cache.layers if type(layer) not in CARRIED_LAYERS]
    if unknown:
        return Problems(f"its cache has layers of the kind {unknown[0]}")
    if model.config.model_type in PROVEN:
        return Problems()
    apart = Decoder(forward, PrefixCache(0), PASS_TOKENS)
    problem = _difference(model, apart, lambda: _plain_rows(model))
    if problem or not keeps_every_token(cache) or not prefixes.limit_bytes:
        return Problems(problem)
    window = _window(model.config)
    if window:
        return Problems(beginnings=f"its {window} may count padding between their tokens")
    decoder = Decoder(forward, prefixes)
    found = _difference(model, decoder, lambda: _rows_with_beginnings(model, decoder))
    prefixes.clear()
    return Problems(beginnings=found)


def check_plain(model: Any, decoder: PlainDecoder) -> None:
    """Raises `ModelError` for a model that its own ``generate`` does not carry either."""
    known = BROKEN.get(model.config.model_type, "")
    problem = known or _difference(model, decoder, lambda: _plain_rows(model))
    if problem:
        raise ModelError(
            f"architecture {model.config.model_type} ({type(model).__name__}): {problem}; use a "
            "decoder-only language model, or a server"
        )


def _difference(model: Any, decoder: TokenDecoder, rows: Callable[[], Sequence[_Row]]) -> str:
    """How ``decoder`` differs from passes without a cache, empty where it does not."""
    try:
        known = rows()
        worst = max(
            _in_deviations(ours, theirs)
            for row, found in zip(known, _decoded_logits(decoder, known), strict=True)
            for ours, theirs in zip(found, row.expected, strict=False)
        )
        scores = max(_scoring_differences(decoder, known))
    except torch.OutOfMemoryError:
        raise
    except _FAILURES as error:
        return one_line(error)[:200] or type(error).__name__
    limit = _tolerance(model)
    if worst > limit:
        return f"logits with a cache are off by {worst:.2g} standard deviations"
    if scores > limit:
        return f"scores with a cache are off by {scores:.2g} standard deviations"
    return ""


def _plain_rows(model: Any) -> list[_Row]:
    """Prompts of different length, too short for a beginning of any to be kept."""
    ids = _spread_ids(model)
    rows = _expected(model, [ids[:13], ids[3:7], ids[6:13]])
    shortest = rows[1]
    own = _uncached_logits(model, shortest.prompt.ids)[-1]
    if _in_deviations(own, shortest.expected[0]) > _tolerance(model):
        raise ValueError("its logits depend on the tokens that follow")
    return rows


def _rows_with_beginnings(model: Any, decoder: Decoder) -> list[_Row]:
    """Prompts of which a block is known, before ends of different length."""
    ids = _spread_ids(model)
    decoder.generate([PromptIds(ids[:17])], [1], lambda *_: True)
    return _expected(model, [ids[:16] + ids[70:82], ids[:16] + ids[85:87]])


def _spread_ids(model: Any) -> list[int]:
    """Ids all over the vocabulary."""
    n_ids = model.get_input_embeddings().num_embeddings
    return [(7 + 37 * position) % n_ids for position in range(100)]


def _expected(model: Any, prompts: Sequence[list[int]]) -> list[_Row]:
    """The prompts as rows, each from a pass of its own."""
    going_on = _spread_ids(model)[20:]
    rows = []
    for row, (prompt, n_generated) in enumerate(zip(prompts, N_NEW_TOKENS, strict=False)):
        new = going_on[row : row + N_CHOICE_TOKENS]
        logits = _uncached_logits(model, [*prompt, *new[:-1]])[-len(new) :]
        rows.append(_Row(PromptIds(prompt), new, logits, n_generated))
    return rows


def _uncached_logits(model: Any, ids: list[int]) -> torch.Tensor:
    inputs = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=inputs, use_cache=False).logits[0]
    return logits.float().cpu()


def _decoded_logits(decoder: TokenDecoder, rows: Sequence[_Row]) -> list[list[torch.Tensor]]:
    """The logits before generated tokens, as ``decoder`` comes by them in a batch."""
    seen: list[list[torch.Tensor]] = [[] for _ in rows]

    def choose(numbers: Sequence[int], logits: torch.Tensor) -> list[int]:
        chosen = []
        for number, values in zip(numbers, logits, strict=True):
            row, found = rows[number], seen[number]
            chosen.append(row.new[min(len(found), row.n_generated - 1)])
            if len(found) < row.n_generated:
                found.append(values.float().cpu())
        return chosen

    limits = [row.n_generated for row in rows]
    decoder.generate([row.prompt for row in rows], limits, lambda *_: False, choose)
    return seen


def _scoring_differences(decoder: TokenDecoder, rows: Sequence[_Row]) -> Iterator[float]:
    # A short choice beside a long one, so that one of them is padded; one row has the short alone.
    choices = [[row.new, row.new[:1]] if at else [row.new[:1]] for at, row in enumerate(rows)]
    totals = decoder.choice_log_likelihoods([row.prompt for row in rows], choices)
    for row, texts, scores in zip(rows, choices, totals, strict=True):
        log_p = torch.log_softmax(row.expected, dim=-1)
        own = sum(float(values[token]) for values, token in zip(log_p, texts[0], strict=False))
        yield abs(scores[0] - own) / (float(row.expected.std()) * len(texts[0]))


def _tolerance(model: Any) -> float:
    return TOLERANCE.get(model.dtype, COARSE_TOLERANCE)


def _in_deviations(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    difference = float((ours - theirs).abs().max() / theirs.std())
    return difference if difference == difference else float("inf")


def _window(config: Any) -> str:
    """The field by which layers look back so far alone although their cache keeps every token.

    By columns it may be, of which padding takes some, and prompts longer than it cost too much.
    Where a configuration names the kind of each layer, the cache keeps windows to itself.
    """
    text = config.get_text_config(decoder=True)
    if getattr(text, "layer_types", None):
        return ""
    windows = (name for name, value in text.to_dict().items() if type(value) is int and value > 0)
    return next((name for name in windows if "window" in name), "")
