"""Texts as unit vectors, by a Sentence Transformers model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from argo_ml.config import EMBEDDED_EMBEDDER, CorpusSpec
from argo_ml.corpus.base import Vectors
from argo_ml.corpus.device_memory import FittingBatches, load_where_it_fits
from argo_ml.corpus.embedder_files import embedder_files, find_embedder, without_hub_bars
from argo_ml.corpus.embedder_prompts import OWN_PROMPTS, PASSAGE, GivenPrompts, added_prompts
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus, machine_state
from argo_ml.devices.threads import use_threads
from argo_ml.errors import ModelError, one_line
from argo_ml.models.digests import files_digest
from argo_ml.models.sealed_json import content_key, installed_version, read_sealed, write_sealed

__all__ = ["Embedder", "SentenceEmbedder", "Vectors", "embedder_of", "load_embedder"]

BATCH_SIZE = 32
TOKENIZED = 1024
"""Texts whose tokens are held at once: they take a hundred bytes and more each."""
PACKAGES = ("sentence-transformers", "tokenizers", "torch", "transformers")


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
    """A Sentence Transformers model, which ``load`` loads when a text is new.

    Passages and queries get the prompts that it is loaded with.
    """

    def __init__(self, name: str, identity: str, load: Callable[[], Any]) -> None:
        self.name = name
        self.identity = identity
        self._load = load
        self._batches = FittingBatches(BATCH_SIZE, f"embedding_model={name}")

    @cached_property
    def _model(self) -> Any:
        return self._load()

    def load_now(self) -> None:
        """Raises `ModelError`."""
        assert self._model is not None

    @property
    def max_tokens(self) -> int | None:
        longest = self._model.max_seq_length
        if longest is None:
            return None
        prompt = self._model.prompts.get(PASSAGE) or ""
        special = len(self._model.tokenizer("")["input_ids"])
        return int(longest) - special - self.count_tokens([prompt])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._token_ids(texts)]

    def count_unknown(self, texts: Sequence[str]) -> list[int]:
        unknown = self._model.tokenizer.unk_token_id
        return [ids.count(unknown) for ids in self._token_ids(texts)]

    def _token_ids(self, texts: Sequence[str]) -> Iterator[list[int]]:
        for start in range(0, len(texts), TOKENIZED):
            encoded = self._model.tokenizer(
                list(texts[start : start + TOKENIZED]),
                add_special_tokens=False,
                truncation=False,
                verbose=False,
                return_attention_mask=False,
                return_token_type_ids=False,
            )
            yield from encoded["input_ids"]

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self._vectors(self._model.encode_document, texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._vectors(self._model.encode_query, texts)

    def _vectors(self, encode: Callable[..., Any], texts: Sequence[str]) -> Vectors:
        vectors = self._batches.run(
            lambda batch_size: encode(
                list(texts),
                batch_size=batch_size,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        )
        return np.asarray(vectors, dtype=np.float32)


def embedder_of(spec: CorpusSpec) -> SentenceEmbedder:
    """As `load_embedder`, with all that the spec says of it."""
    given = GivenPrompts(spec.query_prompt, spec.passage_prompt)
    return load_embedder(
        spec.embedding_model,
        spec.cache_path,
        spec.device,
        spec.gpus,
        given,
        getattr(spec, "threads", None),
    )


def load_embedder(
    embedding_model: str,
    cache_path: Path,
    device: str = "auto",
    gpus: Sequence[int] = (),
    given: GivenPrompts = OWN_PROMPTS,
    threads: int | None = None,
) -> SentenceEmbedder:
    """The embedded model, a model in a local folder, or one of the hub. Raises `ModelError`.

    It goes to the first GPU that the language model is on, or that ``device`` and ``gpus`` allow,
    else to the CPU. What was loaded here before is loaded again only when a text is new.
    """
    choose_gpus(device, gpus, count_gpus())
    folder = find_embedder(embedding_model)
    prompts = added_prompts(folder, given)
    load = partial(_load, embedding_model, folder, prompts, device, gpus, threads)
    try:
        memo_path = cache_path / "embedder_digests.json"
        digest = files_digest(embedder_files(folder, memo_path), memo_path)
    except OSError as error:
        raise _no_embedder(embedding_model, error) from None
    major = installed_version("sentence-transformers").partition(".")[0]
    identity = f"sentence-transformers {major} sha256:{digest}"
    if prompts:
        identity += f" prompts:{json.dumps(prompts, sort_keys=True)}"
    embedder = SentenceEmbedder(embedding_model, identity, load)
    versions = [installed_version(name) for name in PACKAGES]
    key = content_key([embedder.identity, versions, machine_state(), device, list(gpus)])
    seen = cache_path / "models" / "opened" / f"{key}.json"
    if read_sealed(seen) is None:
        embedder.load_now()
        write_sealed(seen, embedder.identity)
    return embedder


def _load(
    embedding_model: str,
    folder: Path,
    prompts: dict[str, str],
    device: str,
    gpus: Sequence[int],
    threads: int | None,
) -> Any:
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    def load_to(place: str) -> Any:
        return SentenceTransformer(
            str(folder), prompts=prompts, device=place, local_files_only=True
        )

    use_threads(threads)
    try:
        with without_progress_bars():
            return load_where_it_fits(
                load_to, torch_device(device, gpus), f"embedding_model={embedding_model}"
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _no_embedder(embedding_model, error) from None


def _no_embedder(embedding_model: str, error: Exception) -> ModelError:
    return ModelError(
        f"embedding_model={embedding_model}: not a Sentence Transformers model "
        f"({one_line(error)}); use {EMBEDDED_EMBEDDER}, another folder or a hub id"
    )


def torch_device(device: str, gpus: Sequence[int]) -> str:
    import torch

    chosen = choose_gpus(device, gpus, torch.cuda.device_count())
    if not chosen:
        return "cpu"
    # Beside the language model, where there is one: other GPUs are somebody else's.
    # Plans keep room for this model on the GPU of the lowest number.
    used = [gpu for gpu in sorted(chosen) if torch.cuda.memory_allocated(gpu)] or [min(chosen)]
    return f"cuda:{used[0]}"


@contextmanager
def without_progress_bars() -> Iterator[None]:
    import transformers.utils.logging

    transformers_logging: Any = transformers.utils.logging
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with without_hub_bars():
            yield
    finally:
        if had_bars:
            transformers_logging.enable_progress_bar()
