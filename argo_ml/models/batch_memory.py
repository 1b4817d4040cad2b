"""How many tokens fit into a batch: from a model's configuration and the memory that is free."""

from __future__ import annotations

from typing import Any

BATCH_SHARE = 0.5
"""Share of the free memory that a batch may take; what is estimated here is not exact."""
MOST_TOKENS = 32_768
"""Beyond this a batch is no faster per token, on the CPU and on GPUs alike."""
FEWEST_TOKENS = 512
"""A single prompt of usual length; where not even this fits, running out of memory says so."""


def batch_limit(config: Any, item_bytes: int, free_bytes: int) -> int:
    """Tokens, with padding, that a batch may hold in ``free_bytes``.

    ``config`` is a Transformers configuration, ``item_bytes`` the size of one number of its
    precision.
    """
    fitting = int(BATCH_SHARE * free_bytes) // bytes_per_token(config, item_bytes)
    return max(FEWEST_TOKENS, min(MOST_TOKENS, fitting))


def bytes_per_token(config: Any, item_bytes: int) -> int:
    """Memory of one token of a batch: keys and values, and one layer's intermediate results.

    Keys and values count twice, since a cache that grows is copied. Kwon et al. 2023
    (PagedAttention, section 3) give them as 2 x layers x hidden size x item size; with grouped
    queries (Ainslie et al. 2023) only the heads of keys and values are kept.
    """
    text = config.get_text_config()
    hidden = text.hidden_size
    heads = text.num_attention_heads
    width = getattr(text, "head_dim", None) or hidden // heads
    kept_heads = getattr(text, "num_key_value_heads", None) or heads
    inner = getattr(text, "intermediate_size", None) or 4 * hidden
    keys_and_values = 2 * text.num_hidden_layers * kept_heads * width
    # Residual stream, its norm, queries and attention output; gate, up and their product.
    activations = 4 * hidden + 3 * inner
    return int(item_bytes * (2 * keys_and_values + activations))
