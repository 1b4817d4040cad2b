"""Texts as unit vectors, by a Sentence Transformers model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sentence_transformers import SentenceTransformer

from argo_ml.config import EMBEDDED_EMBEDDER
from argo_ml.corpus.base import Vectors
from argo_ml.corpus.embedder_files import embedder_files, find_embedder
from argo_ml.devices.choosing import choose_gpus
from argo_ml.errors import ModelError, one_line
from argo_ml.models.digests import files_digest

__all__ = ["Embedder", "SentenceEmbedder", "Vectors", "load_embedder"]

BATCH_SIZE = 32


class Embedder(Protocol):
    """Embeds passages and queries into one space.

    ``identity`` is everything that can change a vector; ``max_tokens`` how many tokens of a text
    are read, None without a limit.
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def max_tokens(self) -> int | None: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def count_unknown(self, texts: Sequence[str]) -> list[int]:
        """Of the tokens those that stand for words outside its vocabulary, all alike to it."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors: ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors: ...


class SentenceEmbedder:
    """A loaded Sentence Transformers model; passages and queries get the model's own prompts."""

    def __init__(self, name: str, identity: str, model: SentenceTransformer) -> None:
        self.name = name
        self.identity = identity
        self._model = model

    @property
    def max_tokens(self) -> int | None:
        longest = self._model.max_seq_length
        if longest is None:
            return None
        prompt = self._model.prompts.get("document") or ""
        special = len(self._model.tokenizer("")["input_ids"])
        return int(longest) - special - self.count_tokens([prompt])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._token_ids(texts)]

    def count_unknown(self, texts: Sequence[str]) -> list[int]:
        unknown = self._model.tokenizer.unk_token_id
        return [ids.count(unknown) for ids in self._token_ids(texts)]

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self._model.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self._vectors(self._model.encode_document, texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._vectors(self._model.encode_query, texts)

    def _vectors(self, encode: Callable[..., Any], texts: Sequence[str]) -> Vectors:
        vectors = encode(
            list(texts), batch_size=BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def load_embedder(
    embedding_model: str, cache_path: Path, device: str = "auto", gpus: Sequence[int] = ()
) -> SentenceEmbedder:
    """The embedded model, a model in a local folder, or one of the hub. Raises `ModelError`.

    It goes to the first GPU that the language model is on, or that ``device`` and ``gpus`` allow,
    else to the CPU.
    """
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer, __version__

    with _without_progress_bars():
        folder = find_embedder(embedding_model)
        try:
            digest = files_digest(embedder_files(folder), cache_path / "embedder_digests.json")
            model = SentenceTransformer(
                str(folder), device=_torch_device(device, gpus), local_files_only=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = one_line(error)
            raise ModelError(
                f"embedding_model={embedding_model}: not a Sentence Transformers model ({reason}); "
                f"use {EMBEDDED_EMBEDDER}, another folder or a hub id"
            ) from None
    major = __version__.partition(".")[0]
    identity = f"sentence-transformers {major} sha256:{digest}"
    return SentenceEmbedder(embedding_model, identity, model)


def _torch_device(device: str, gpus: Sequence[int]) -> str:
    import torch

    chosen = choose_gpus(device, gpus, torch.cuda.device_count())
    if not chosen:
        return "cpu"
    # Beside the language model, where there is one: other GPUs are somebody else's.
    used = [gpu for gpu in chosen if torch.cuda.memory_allocated(gpu)] or chosen[:1]
    return f"cuda:{used[0]}"


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    import huggingface_hub.utils
    import transformers.utils.logging

    hub: Any = huggingface_hub.utils
    transformers_logging: Any = transformers.utils.logging
    had_bars = transformers_logging.is_progress_bar_enabled()
    had_hub_bars = not hub.are_progress_bars_disabled()
    transformers_logging.disable_progress_bar()
    hub.disable_progress_bars()
    try:
        yield
    finally:
        if had_bars:
            transformers_logging.enable_progress_bar()
        if had_hub_bars:
            hub.enable_progress_bars()
