"""Random models of two layers, one per architecture, from their configurations alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.heterogeneity import AmbiguousGlobalPerLayerAttributeError

N_IDS = 96
WINDOW = 8
"""Shorter than most prompts, so that sliding windows slide."""

_COMMON: Mapping[str, Any] = {
    "vocab_size": N_IDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    # Large enough that a wrong state changes the most probable token.
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sliding_window": WINDOW,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "n_shared_experts": 1,
    "decoder_sparse_step": 1,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "moe_num_experts": 4,
    "moe_k": 2,
    "shared_expert_intermediate_size": 16,
}
"""Passed to those configurations that have such a field."""

_GPT: Mapping[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
_LATENT: Mapping[str, Any] = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
    "num_key_value_heads": 4,
}
_MAMBA: Mapping[str, Any] = {
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
    "mamba_expand": 2,
    "mamba_d_conv": 4,
    "mamba_chunk_size": 8,
    "mamba_d_ssm": 64,
    "expand": 2,
    "state_size": 8,
    "num_heads": 8,
    "n_groups": 1,
    "chunk_size": 8,
    "mamba_dt_rank": 4,
}
_LINEAR: Mapping[str, Any] = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
_SLIDING: Mapping[str, Any] = {"layer_types": ["sliding_attention", "full_attention"]}
_PER_LAYER_INPUT: Mapping[str, Any] = {
    **_SLIDING,
    "vocab_size_per_layer_input": N_IDS,
    "hidden_size_per_layer_input": 8,
    "num_kv_shared_layers": 0,
}
_VISION: Mapping[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}

_OWN: Mapping[str, Mapping[str, Any]] = {
    "gpt2": _GPT,
    "bloom": {"n_layer": 2, "n_head": 4},
    "deepseek_v2": {**_LATENT, "topk_method": "greedy"},
    "deepseek_v3": _LATENT,
    "qwen3_next": _LINEAR,
    "qwen3_5_text": _LINEAR,
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_ff_dim": 48},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "granitemoehybrid": {
        **_MAMBA,
        "layer_types": ["mamba", "attention"],
        "shared_intermediate_size": 32,
    },
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "falcon_h1": _MAMBA,
    "mamba": _MAMBA,
    "mamba2": {**_MAMBA, "head_dim": 8},
    "jamba": {
        **_MAMBA,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
    },
    "zamba2": {
        **_MAMBA,
        "layers_block_type": ["mamba", "hybrid"],
        "mamba_headdim": 16,
        "n_mamba_heads": 4,
        "mamba_ngroups": 1,
        "num_mem_blocks": 1,
        "hybrid_layer_ids": [1],
    },
    "nemotron_h": {
        **_MAMBA,
        "mamba_num_heads": 4,
        "mamba_head_dim": 16,
        "ssm_state_size": 8,
        "layers_block_type": ["mamba", "attention"],
    },
    "minimax": {"layer_types": ["linear_attention", "full_attention"], "block_size": 8},
    "recurrent_gemma": {
        "attention_window_size": WINDOW,
        "block_types": ["recurrent", "attention"],
        "lru_width": 32,
    },
    "gemma2": _SLIDING,
    "gemma3_text": _SLIDING,
    "gemma3n_text": {
        **_PER_LAYER_INPUT,
        "laurel_rank": 4,
        "altup_num_inputs": 2,
        "activation_sparsity_pattern": [0.0, 0.0],
    },
    "gemma4_text": {**_PER_LAYER_INPUT, "global_head_dim": 16, "num_global_key_value_heads": 2},
    "gpt_oss": _SLIDING,
    "cohere2": _SLIDING,
    "olmo3": _SLIDING,
    "exaone4": _SLIDING,
    "ministral": _SLIDING,
    "phi3": {"original_max_position_embeddings": 256},
    "smollm3": {"no_rope_layers": [1, 0]},
    "ernie4_5_moe": {"moe_num_shared_experts": 1, "moe_layer_start_index": 1},
    "rwkv": {"attention_hidden_size": 32},
}


def tiny_model(architecture: str) -> Any:
    """A model of ``architecture``, a ``model_type`` of Transformers, in float32 on the CPU."""
    torch.manual_seed(0)
    config = tiny_config(architecture)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def tiny_config(architecture: str) -> Any:
    """What `tiny_model` builds."""
    if architecture == "gemma3":
        text = {**_COMMON, **_SLIDING}
        return AutoConfig.for_model("gemma3", text_config=text, vision_config=dict(_VISION))
    wanted = {**_COMMON, **_OWN.get(architecture, {})}
    default = AutoConfig.for_model(architecture)
    known = {name: value for name, value in wanted.items() if _has(default, name)}
    return AutoConfig.for_model(architecture, **known)


def _has(config: Any, name: str) -> bool:
    try:
        return hasattr(config, name)
    except AmbiguousGlobalPerLayerAttributeError:
        return True
