"""A GGUF file of Qwen2's architecture with random weights: as fast to compute as a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

SPREAD = 0.02


def write_random_gguf(config: Any, quantization: str, path: Path) -> None:
    """``quantization`` is that of matrices: Q8_0, Q4_0, Q4_1 or F16; vectors are float32."""
    kind = gguf.GGMLQuantizationType[quantization]
    architecture = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, config.model_type)
    _add_shape(writer, config)
    _add_tokens(writer, config.vocab_size)
    rng = np.random.default_rng(0)
    for name, shape in _shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(SPREAD)
        stored = kind if len(shape) > 1 else gguf.GGMLQuantizationType.F32
        packed = gguf.quants.quantize(values, stored)
        writer.add_tensor(
            str(names.get_name(name, try_suffixes=(".weight", ".bias"))), packed, raw_dtype=stored
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(config: Any) -> dict[str, tuple[int, ...]]:
    models: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = models.from_config(config)
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def _add_shape(writer: gguf.GGUFWriter, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def _add_tokens(writer: gguf.GGUFWriter, n_tokens: int) -> None:
    """Bytes, and as many others as the model has: prompts come as ids."""
    to_unicode: Any = bytes_to_unicode
    known = [*to_unicode().values(), "\u0120P"]
    tokens = [*known, *(f"<|{number}|>" for number in range(n_tokens - len(known)))]
    kinds = [gguf.TokenType.NORMAL] * len(known)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([*kinds, *[gguf.TokenType.CONTROL] * (n_tokens - len(known))])
    writer.add_token_merges(["\u0120 P"])
    writer.add_eos_token_id(n_tokens - 1)
