"""Whether a loaded model comes out of the fast path as it does of one pass without a cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from transformers import cache_utils

from argo_ml.errors import ModelError, one_line
from argo_ml.models.base import TokenCounts
from argo_ml.models.chat import PromptIds
from argo_ml.models.local.decoding import Choose, Decoder, TokenIds
from argo_ml.models.local.forward import Forward
from argo_ml.models.local.growing_cache import GrowingLayer, empty_cache
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
"""Kinds of model that the test suite builds and finds equal in a batch, alone and without a cache.
Any other is checked when it is loaded."""

CARRIED_LAYERS = (
    GrowingLayer,
    cache_utils.DynamicSlidingWindowLayer,
    cache_utils.LinearAttentionLayer,
    cache_utils.LinearAttentionAndFullAttentionLayer,
    cache_utils.LinearAttentionAndSlidingWindowAttentionLayer,
    cache_utils.DummyLayer,
)
"""Layers of a cache whose rows can be selected, and whose padding a mask hides."""

TOLERANCE = {torch.float32: 0.01}
COARSE_TOLERANCE = 0.2
"""Largest difference of logits, in their standard deviations: rounding stays far below, and what
padding or a wrong state does lies far above."""

N_PROMPT_TOKENS = (13, 4, 7)
N_NEW_TOKENS = (3, 1, 2)
"""Rows of different length that leave their batch at different times."""

_FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
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


def choose_decoder(
    model: Any, prefixes: PrefixCache, engine: str, on_event: Callable[[str], None]
) -> TokenDecoder:
    """The fast path for ``engine`` auto where it carries the model, else the plain one.

    ``on_event`` receives why the fast path was left. Raises `ModelError` for a model that neither
    carries, with its architecture.
    """
    problem = fast_path_problem(model) if engine == "auto" else ""
    if engine == "auto" and not problem:
        return Decoder(Forward(model), prefixes)
    decoder = PlainDecoder(model)
    if problem:
        check_plain(model, decoder)
        on_event(
            f"architecture {model.config.model_type}: goes through Transformers' own generate, "
            f"one prompt at a time (engine=plain), since {problem}"
        )
    decoder.tokens = TokenCounts()
    return decoder


def fast_path_problem(model: Any) -> str:
    """Why the fast path cannot carry ``model``, empty where it can."""
    try:
        forward = Forward(model)
        layers = empty_cache(model.config).layers
    except (ModelError, *_FAILURES) as error:
        return one_line(error)
    unknown = [type(layer).__name__ for layer in layers if type(layer) not in CARRIED_LAYERS]
    if unknown:
        return f"its cache has layers of the kind {unknown[0]}"
    if model.config.model_type in PROVEN:
        return ""
    return _difference(model, Decoder(forward, PrefixCache(0)))


def check_plain(model: Any, decoder: PlainDecoder) -> None:
    """Raises `ModelError` for a model that its own ``generate`` does not carry either."""
    problem = _difference(model, decoder)
    if problem:
        raise ModelError(
            f"architecture {model.config.model_type} ({type(model).__name__}): {problem}; use a "
            "decoder-only language model, or a server"
        )


def _difference(model: Any, decoder: TokenDecoder) -> str:
    """How ``decoder`` differs from passes without a cache, empty where it does not."""
    try:
        expected = _uncached_logits(model)
        worst = max(
            _in_deviations(ours, theirs)
            for row, rows in enumerate(_decoded_logits(model, decoder))
            for ours, theirs in zip(rows, expected[row], strict=True)
        )
        scores = _scoring_difference(model, decoder, expected)
    except torch.OutOfMemoryError:
        raise
    except _FAILURES as error:
        return one_line(error)[:200] or type(error).__name__
    limit = TOLERANCE.get(model.dtype, COARSE_TOLERANCE)
    if worst > limit:
        return f"logits with a cache are off by {worst:.2g} standard deviations"
    if scores > limit:
        return f"scores with a cache are off by {scores:.2g} standard deviations"
    return ""


def _rows(model: Any) -> list[tuple[list[int], list[int]]]:
    """Prompts and how each goes on: ids spread over the vocabulary."""
    n_ids = model.get_input_embeddings().num_embeddings
    spread = [(7 + 37 * position) % n_ids for position in range(40)]
    return [
        (spread[3 * row : 3 * row + n], spread[20 + row : 20 + row + n_new])
        for row, (n, n_new) in enumerate(zip(N_PROMPT_TOKENS, N_NEW_TOKENS, strict=True))
    ]


def _uncached_logits(model: Any) -> list[list[torch.Tensor]]:
    """Logits before each new token of each row, every one from a pass of its own."""
    with torch.inference_mode():
        return [
            [_last_logits(model, [*prompt, *new[:n]]) for n in range(len(new))]
            for prompt, new in _rows(model)
        ]


def _last_logits(model: Any, ids: list[int]) -> torch.Tensor:
    inputs = torch.tensor([ids], device=model.device)
    logits: torch.Tensor = model(input_ids=inputs, use_cache=False).logits[0, -1]
    return logits.float().cpu()


def _decoded_logits(model: Any, decoder: TokenDecoder) -> list[list[torch.Tensor]]:
    """The same logits, as ``decoder`` comes by them in a batch."""
    rows = _rows(model)
    seen: list[list[torch.Tensor]] = [[] for _ in rows]

    def choose(numbers: Sequence[int], logits: torch.Tensor) -> list[int]:
        chosen = []
        for row, values in zip(numbers, logits, strict=True):
            new = rows[row][1]
            position = min(len(seen[row]), len(new) - 1)
            if len(seen[row]) < len(new):
                seen[row].append(values.float().cpu())
            chosen.append(new[position])
        return chosen

    prompts = [PromptIds(prompt) for prompt, _ in rows]
    decoder.generate(prompts, [len(new) for _, new in rows], lambda *_: False, choose)
    return seen


def _scoring_difference(
    model: Any, decoder: TokenDecoder, expected: Sequence[Sequence[torch.Tensor]]
) -> float:
    rows = _rows(model)
    # A short choice beside a long one, so that one of them is padded.
    choices = [[new, new[:1]] for _, new in rows]
    totals = decoder.choice_log_likelihoods([PromptIds(prompt) for prompt, _ in rows], choices)
    differences = []
    for row, (_, new) in enumerate(rows):
        log_p = [torch.log_softmax(logits, dim=-1) for logits in expected[row]]
        own = sum(float(values[token]) for values, token in zip(log_p, new, strict=True))
        deviation = float(torch.stack(list(expected[row])).std())
        differences.append(abs(totals[row][0] - own) / (deviation * len(new)))
    return max(differences)


def _in_deviations(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    difference = float((ours - theirs).abs().max() / theirs.std())
    return difference if difference == difference else float("inf")
