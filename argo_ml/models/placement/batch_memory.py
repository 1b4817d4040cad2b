"""How many tokens fit into a batch: from a model's configuration and the memory that is free."""

from __future__ import annotations

from typing import Any

from transformers import AutoModelForCausalLM

# Transformers annotates this in part only.
_models: Any = AutoModelForCausalLM

BATCH_SHARE = 0.5
"""Share of the free memory that a batch may take; what is estimated here is not exact."""
MOST_TOKENS = 32_768
"""Beyond this a batch is no faster per token on the CPU."""
MOST_GPU_TOKENS = 262_144
"""On GPUs, whose decoding gains until several hundred rows share one reading of the weights."""
LOGITS_BYTES = 2**28
"""Most memory of the logits that are computed at once where more than the last are wanted; those of
one column of all rows may take more."""
LOGITS_COPIES = 2
"""Logits and their logarithmic probabilities are held at once."""
PROMPT_TOKENS = 1024
"""A long prompt, which attention that holds its scores has one of for each token and head."""
SCORE_COPIES = 4
"""Scores, masked ones, their differences from the largest and their exponentials."""
FEWEST_TOKENS = 512
"""A single prompt of usual length; where not even this fits, running out of memory says so."""


def within_bounds(tokens: int, on_gpu: bool) -> int:
    """The largest batch, in tokens with padding, where memory has room for ``tokens``."""
    return max(FEWEST_TOKENS, min(MOST_GPU_TOKENS if on_gpu else MOST_TOKENS, tokens))


def fitting_tokens(config: Any, item_bytes: int, free_bytes: int, n_layers: int) -> int:
    """The largest batch in ``free_bytes`` of a device with ``n_layers`` of the layers."""
    return int(BATCH_SHARE * free_bytes) // bytes_per_token(config, item_bytes, n_layers)


def fitting_cpu_tokens(token_bytes: int, free_bytes: int) -> int:
    """The largest batch in ``free_bytes`` of a CPU, where a token takes ``token_bytes``."""
    tokens = int(BATCH_SHARE * (free_bytes - LOGITS_COPIES * LOGITS_BYTES)) // token_bytes
    return within_bounds(tokens, on_gpu=False)


def bytes_per_token(config: Any, item_bytes: int, n_layers: int) -> int:
    """Memory of one token of a batch on a device with ``n_layers`` of the layers.

    ``config`` is a Transformers configuration, ``item_bytes`` the size of one number of its
    precision.
    """
    return n_layers * bytes_per_layer(config, item_bytes) + activation_bytes(config, item_bytes)


def bytes_per_layer(config: Any, item_bytes: int) -> int:
    """Memory of the keys and values of one token in one layer; where layers differ, in the largest.

    They count twice, since a cache that grows is copied. Kwon et al. 2023 (PagedAttention,
    section 3) give them as 2 x layers x hidden size x item size; with grouped queries (Ainslie et
    al. 2023) only the heads of keys and values are kept. A layer without attention keeps a state of
    one size for any number of tokens, which is not counted.
    """
    return item_bytes * 2 * 2 * max(map(_kept_width, _layers(config)))


def _layers(config: Any) -> list[Any]:
    """The configurations of the layers where these differ, else the one of all."""
    text = config.get_text_config(decoder=True)
    return list(text.per_layer_config) if getattr(text, "is_heterogeneous", False) else [text]


def _kept_width(layer: Any) -> int:
    """Numbers in the keys of one token, or the mean of keys and values where they differ.

    With latent attention (DeepSeek-AI 2024, DeepSeek-V2, section 2.1) both are kept compressed.
    """
    if latent := _latent_width(layer):
        return int(latent + layer.qk_rope_head_dim) // 2
    heads = getattr(layer, "num_attention_heads", None)
    if not heads:
        return 0
    width = getattr(layer, "head_dim", None) or layer.hidden_size // heads
    return int((getattr(layer, "num_key_value_heads", None) or heads) * width)


def _latent_width(layer: Any) -> int:
    return int(getattr(layer, "kv_lora_rank", None) or 0)


def head_copy_bytes(config: Any, precision: str) -> int:
    """Memory of the float32 copy of the output layer that a lower precision has on the CPU."""
    text = config.get_text_config(decoder=True)
    return 0 if precision == "float32" else 4 * int(text.vocab_size) * int(text.hidden_size)


def activation_bytes(config: Any, item_bytes: int) -> int:
    """Memory of the intermediate results of one token, of one layer at a time."""
    widest = max(_activation_width(layer) for layer in _layers(config))
    return (widest + _scores_width(config)) * item_bytes


def _scores_width(config: Any) -> int:
    """Numbers of one token's attention where Transformers computes all of them at once.

    It has nothing else for models that cap scores or add sinks to them (gemma2, gpt_oss).
    """
    network = _models._model_mapping.get(type(config), None)
    if getattr(network, "_supports_sdpa", True):
        return 0
    heads = max(getattr(layer, "num_attention_heads", None) or 0 for layer in _layers(config))
    return int(heads) * PROMPT_TOKENS * SCORE_COPIES


def _activation_width(layer: Any) -> int:
    """Numbers of the residual stream, its norm, queries and attention output; and of the gate, up
    and their product. Of latent attention also the keys and values that are expanded."""
    inner = getattr(layer, "intermediate_size", None) or 4 * layer.hidden_size
    # Some configurations list it layer by layer.
    widest = max(inner) if isinstance(inner, (list, tuple)) else inner
    return int(4 * layer.hidden_size + 3 * widest) + _expanded_width(layer)


def _expanded_width(layer: Any) -> int:
    """Numbers of one token's keys and values as latent attention expands them in every pass."""
    if not _latent_width(layer):
        return 0
    per_head = 2 * layer.qk_nope_head_dim + layer.qk_rope_head_dim + layer.v_head_dim
    return int(layer.num_attention_heads * per_head)
