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
    # Shorter than prompts as well.
    "attention_chunk_size": WINDOW,
    "index_topk": 8,
    # Enough that no two tokens have the same score.
    "index_n_heads": 8,
    "index_head_dim": 16,
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
_INDEXED: Mapping[str, Any] = {**_LATENT, "mlp_layer_types": ["dense", "sparse"]}
_SELF_AND_CROSS: Mapping[str, Any] = {
    "d_model": 32,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 48,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "is_decoder": True,
}
"""Decoders of models that have an encoder as well."""
_ENCODER: Mapping[str, Any] = {"is_decoder": True}
"""Encoders that can be made to look back alone."""
_RELATIVE: Mapping[str, Any] = {
    "layer_types": ["hybrid_sliding", "hybrid"],
    "sliding_window_size": WINDOW,
    "swa_num_attention_heads": 4,
    "swa_num_key_value_heads": 2,
    "swa_head_dim": 8,
    "d_rel": 4,
    "rel_extent": 16,
    "unpadded_vocab_size": N_IDS,
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
    "axk1": _LATENT,
    "axk2": {**_INDEXED, "layer_types": ["indexed_attention"] * 2, "gated_norm_rank": 4},
    "deepseek_v32": _INDEXED,
    "glm_moe_dsa": _INDEXED,
    "glm4_moe_lite": _LATENT,
    "youtu": _LATENT,
    "sarvam_mla": _LATENT,
    "minicpm3": _LATENT,
    "longcat_flash": {
        **_LATENT,
        "num_layers": 2,
        "ffn_hidden_size": 48,
        "expert_ffn_hidden_size": 16,
        "zero_expert_num": 2,
        "moe_topk": 2,
        "head_dim": 8,
        "qk_head_dim": 16,
    },
    "kimi_linear": {
        **_LATENT,
        "layer_types": ["linear_attention", "full_attention"],
        "mlp_layer_types": ["dense", "sparse"],
        "linear_head_dim": 8,
        "linear_num_heads": 4,
    },
    "qwen3_5_moe_text": _LINEAR,
    "qwen4_exp_text": {
        **_LINEAR,
        "layer_types": ["linear_attention", "indexed_attention"],
        "hc_count": 2,
        "hc_lowrank": 8,
        "ple_embed_dim": 8,
        "ngram_vocab_size_base": 64,
        "make_ngram_vocab_size_divisible_by": 8,
        "split_ngram_parts": 2,
        "heads_per_ngram": 2,
    },
    "lara_mini": {**_LINEAR, "layer_types": ["linear_attention", "sliding_attention"]},
    "olmo_hybrid": _LINEAR,
    "bailing_hybrid": {**_LATENT, "layer_types": ["linear_attention", "full_attention"]},
    "deepseek_v4": {
        **_LATENT,
        "num_key_value_heads": 1,
        "layer_types": ["compressed_sparse_attention", "heavily_compressed_attention"],
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 8},
        "mlp_layer_types": ["hash_moe", "moe"],
        "o_groups": 2,
        "o_lora_rank": 8,
        "hc_mult": 2,
    },
    "hy_v4": {
        **_INDEXED,
        "layer_types": ["indexed_attention"] * 2,
        "indexer_types": ["full", "shared"],
        "hc_mult": 2,
    },
    "dots3_note_text": {
        **_INDEXED,
        "layer_types": ["indexed_attention", "sliding_attention"],
        "shared_experts_intermediate_size": 16,
    },
    "minimax_m3_vl_text": {
        "dense_intermediate_size": 48,
        "shared_intermediate_size": 16,
        "rotary_dim": 8,
        "index_block_size": 4,
        "index_topk_blocks": 2,
    },
    "inkling_text": {**_RELATIVE, "mlp_layer_types": ["sparse", "sparse"]},
    "inkling2_text": _RELATIVE,
    "inkling2_loop_text": _RELATIVE,
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": 10000.0}
            for kind in ("sliding_attention", "full_attention")
        },
    },
    "dbrx": {
        "d_model": 32,
        "n_heads": 4,
        "n_layers": 2,
        "max_seq_len": 256,
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"hidden_size": 32, "ffn_hidden_size": 48, "moe_num_experts": 4},
    },
    "falcon": {
        "num_kv_heads": 2,
        "new_decoder_architecture": True,
        "ffn_hidden_size": 48,
        "head_dim": None,
    },
    "gpt_neo": {
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": WINDOW,
    },
    "zamba": {
        **_MAMBA,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "hybrid"] * 2,
        "n_mamba_heads": 2,
    },
    "zaya": {
        "layer_types": ["hybrid", "hybrid"],
        "num_experts_per_tok": 1,
        "router_hidden_size": 16,
    },
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32, "init_std": 0.2},
    "ctrl": {**_GPT, "dff": 48},
    "gpt_bigcode": _GPT,
    "gptj": {**_GPT, "rotary_dim": 4},
    "codegen": {**_GPT, "rotary_dim": 4},
    "openai-gpt": _GPT,
    "gpt-sw3": _GPT,
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 256},
    "cpmant": {"dim_head": 8, "dim_ff": 48, "init_std": 0.2},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48, "init_std": 0.2},
    "biogpt": {},
    "bart": _SELF_AND_CROSS,
    "bigbird_pegasus": _SELF_AND_CROSS,
    "blenderbot": _SELF_AND_CROSS,
    "blenderbot-small": _SELF_AND_CROSS,
    "marian": _SELF_AND_CROSS,
    "mbart": _SELF_AND_CROSS,
    "mvp": _SELF_AND_CROSS,
    "pegasus": _SELF_AND_CROSS,
    "plbart": _SELF_AND_CROSS,
    "trocr": _SELF_AND_CROSS,
    "whisper": _SELF_AND_CROSS,
    "rembert": {**_ENCODER, "input_embedding_size": 32, "output_embedding_size": 32},
    "roc_bert": {
        **_ENCODER,
        "pronunciation_vocab_size": 8,
        "shape_vocab_size": 8,
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
    },
    **dict.fromkeys(
        (
            *("bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie"),
            *("megatron-bert", "roberta", "roberta-prelayernorm", "roformer", "xlm-roberta"),
            *("xlm-roberta-xl", "xmod"),
        ),
        _ENCODER,
    ),
}

_COMPOSITE = ("gemma4", "qwen3_5", "qwen3_5_moe", "llama4")
"""Models that see, around one of text that `tiny_config` knows."""


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
    if architecture in _COMPOSITE:
        return AutoConfig.for_model(
            architecture,
            text_config=tiny_config(default.text_config.model_type).to_dict(),
            vision_config=dict(_VISION),
        )
    known = {
        name: value for name, value in wanted.items() if value is not None and _has(default, name)
    }
    return AutoConfig.for_model(architecture, **known)


def _has(config: Any, name: str) -> bool:
    try:
        return hasattr(config, name)
    except AmbiguousGlobalPerLayerAttributeError:
        return True
