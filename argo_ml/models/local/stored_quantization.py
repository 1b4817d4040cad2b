"""How many bits the weights of a model are stored in, by its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transformers.utils.import_utils import is_kernels_available, is_triton_available

TURING = (7, 5)
"""CUDA's compute capability of the first GPUs on which Transformers computes with MXFP4."""
TRITON = "3.4.0"
"""The first version of Triton that it takes for that."""
_BITS = ("bits", "num_bits", "nbits", "w_bit", "weight_bits")
"""What methods call the bits of a weight: GPTQ and AWQ, compressed-tensors, HQQ, and others."""


def stored_quantization(config: Any, on_gpu: bool) -> str:
    """8bit or 4bit for weights of linear layers that are stored so, experts-4bit, or none.

    MXFP4 stores the experts alone in 4 bit, which Transformers may expand.
    """
    values = _values(config)
    if not values:
        return "none"
    if _is_mxfp4(values):
        return "experts-4bit" if on_gpu and not expands_mxfp4(config) else "none"
    widest = max(_bits(values), default=4 if values.get("load_in_4bit") else 8)
    if widest > 8:
        return "none"
    return "4bit" if widest <= 4 else "8bit"


def expands_mxfp4(config: Any) -> bool:
    """Whether Transformers expands MXFP4 weights of this model also where there is a GPU."""
    values = _values(config)
    return _is_mxfp4(values) and (bool(values.get("dequantize")) or not computes_mxfp4())


def computes_mxfp4() -> bool:
    """What Transformers' own quantizer asks, as far as it can be known: of a described machine the
    GPUs are taken to be capable of it."""
    import torch

    is_capable = not torch.cuda.is_available() or torch.cuda.get_device_capability() >= TURING
    return is_capable and is_kernels_available() and is_triton_available(TRITON)


def _values(config: Any) -> Mapping[str, Any]:
    """What a configuration says of its stored quantisation; empty where there is none."""
    stored = getattr(config, "quantization_config", None) or {}
    return stored if isinstance(stored, dict) else dict(stored.to_dict())


def _is_mxfp4(values: Mapping[str, Any]) -> bool:
    return values.get("quant_method") == "mxfp4"


def _bits(values: Mapping[str, Any]) -> Iterator[int]:
    """Bits of weights at any depth; those of activations and key-value caches are left out."""
    for name, value in values.items():
        if name in _BITS and isinstance(value, int):
            yield value
        elif isinstance(value, dict) and name not in _NO_WEIGHTS:
            yield from _bits(value)


_NO_WEIGHTS = ("input_activations", "output_activations", "kv_cache_scheme")
