from __future__ import annotations

import string
from pathlib import Path

import gguf
import numpy as np
import pytest
from transformers.convert_slow_tokenizer import bytes_to_unicode

from argo_ml.config import CacheFields, ExperimentSpec
from argo_ml.models import LanguageModel, load_model

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, HIDDEN, HEADS, LAYERS, CONTEXT = 64, 96, 4, 2, 4096


@pytest.fixture(scope="session")
def smollm(embedded_model: Path) -> LanguageModel:
    """The embedded model, from the user's own cache so that it is expanded only once."""
    return load_model(ExperimentSpec(cache_dir=CacheFields().cache_path, device="cpu"))


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of bytes with a chat template; it writes nothing but letters."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    tokens = [*bytes_to_unicode().values(), "\u0120P", "\u0120Pa", "\u010a\u010a"]
    merges = ["\u0120 P", "\u0120P a", "\u010a \u010a"]
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    _add_shape(writer)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([*tokens, *specials])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * 3)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(len(tokens) + 1)
    writer.add_eos_token_id(len(tokens) + 2)
    writer.add_chat_template(CHAT_TEMPLATE)
    _add_weights(writer, [token in string.ascii_letters for token in tokens] + [False] * 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def tiny_folder(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a Transformers folder."""
    cache = tmp_path_factory.mktemp("cache")
    load_model(ExperimentSpec(model=str(tiny_gguf), cache_dir=cache, device="cpu"))
    [folder] = (cache / "models" / "converted").iterdir()
    return folder


@pytest.fixture(scope="session")
def llama_spec(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> ExperimentSpec:
    pytest.importorskip("xllamacpp", reason="needs pip install 'argo_ml[llamacpp]'")
    return ExperimentSpec(
        model=str(tiny_gguf),
        engine="llamacpp",
        cache_dir=str(tmp_path_factory.mktemp("cache")),
        device="cpu",
        threads=1,
    )


def _add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)


def _add_weights(writer: gguf.GGUFWriter, is_letter: list[bool]) -> None:
    rng = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.2, shape).astype(np.float32))

    add("token_embd.weight", len(is_letter), WIDTH)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    # Zero logits for all but letters: of 52 random ones, the largest is above zero.
    output = rng.normal(0, 1, (len(is_letter), WIDTH)) * np.array(is_letter)[:, None]
    writer.add_tensor("output.weight", output.astype(np.float32))
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{name}.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
