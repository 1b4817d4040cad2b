"""How many bits the weights of a model are stored in, by its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_BITS = ("bits", "num_bits", "nbits", "w_bit", "weight_bits")
"""What methods call the bits of a weight: GPTQ and AWQ, compressed-tensors, HQQ, and others."""


def stored_quantization(config: Any, on_gpu: bool) -> str:
    """8bit or 4bit for weights of linear layers that are stored so, experts-4bit, or none.

    MXFP4 stores the experts alone in 4 bit, which Transformers expands where there is no GPU.
    """
    stored = getattr(config, "quantization_config", None)
    if not stored:
        return "none"
    values: Mapping[str, Any] = stored if isinstance(stored, dict) else stored.to_dict()
    if values.get("quant_method") == "mxfp4":
        return "experts-4bit" if on_gpu and not values.get("dequantize") else "none"
    widest = max(_bits(values), default=4 if values.get("load_in_4bit") else 8)
    if widest > 8:
        return "none"
    return "4bit" if widest <= 4 else "8bit"


def _bits(values: Mapping[str, Any]) -> Iterator[int]:
    """Bits of weights at any depth; those of activations and key-value caches are left out."""
    for name, value in values.items():
        if name in _BITS and isinstance(value, int):
            yield value
        elif isinstance(value, dict) and name not in _NO_WEIGHTS:
            yield from _bits(value)


_NO_WEIGHTS = ("input_activations", "output_activations", "kv_cache_scheme")
