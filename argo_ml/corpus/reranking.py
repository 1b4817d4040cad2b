"""The first passages in the order of a cross-encoder, which reads query and passage together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from argo_ml.corpus.base import Retriever, Vectors
from argo_ml.corpus.device_memory import FittingBatches, load_where_it_fits
from argo_ml.corpus.embedding import torch_device, without_progress_bars
from argo_ml.devices.threads import use_threads
from argo_ml.errors import ModelError, one_line
from argo_ml.models.digests import files_digest
from argo_ml.models.sealed_json import installed_version
from argo_ml.types import Evidence

DEPTH = 20
"""Passages that are ordered anew; more where more are wanted."""
SCORE_DECIMALS = 4
"""Beyond these a score depends on the batch that its pair was read in."""
REMEMBERED_PAIRS = 100_000
BATCH_SIZE = 32


class CrossEncoder:
    """A Sentence Transformers cross-encoder of a local folder, loaded when a pair is new."""

    def __init__(
        self,
        folder: str,
        cache_path: Path,
        device: str,
        gpus: Sequence[int],
        threads: int | None = None,
    ) -> None:
        """Raises `ModelError` where there is no model."""
        self._path = Path(folder).expanduser()
        if not (self._path / "config.json").is_file():
            raise ModelError(
                f"reranker={folder}: no cross-encoder there; give the folder of a Sentence "
                "Transformers CrossEncoder, with its config.json"
            )
        self._place = device, tuple(gpus)
        self._threads = threads
        self._batches = FittingBatches(BATCH_SIZE, f"reranker={folder}")
        files = sorted(path for path in self._path.rglob("*") if path.is_file())
        digest = files_digest(files, cache_path / "reranker_digests.json")
        major = installed_version("sentence-transformers").partition(".")[0]
        self.identity = f"cross-encoder {major} sha256:{digest}"
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """How well each passage answers its query, whatever the unit. Raises `ModelError`."""
        new = list(dict.fromkeys(pair for pair in pairs if pair not in self._known))
        if new:
            predicted = self._batches.run(
                lambda batch_size: self._model.predict(
                    new, batch_size=batch_size, activation_fn=_as_it_is, show_progress_bar=False
                )
            )
            self._known |= zip(new, map(float, predicted), strict=True)
        scores = [round(self._known[pair], SCORE_DECIMALS) for pair in pairs]
        while len(self._known) > REMEMBERED_PAIRS:
            self._known.popitem(last=False)
        return scores

    @cached_property
    def _model(self) -> Any:
        from safetensors import SafetensorError
        from sentence_transformers import CrossEncoder as Model

        def load_to(place: str) -> Any:
            return Model(str(self._path), device=place, local_files_only=True)

        use_threads(self._threads)
        try:
            with without_progress_bars():
                model = load_where_it_fits(
                    load_to, torch_device(*self._place), f"reranker={self._path}"
                )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise self._unusable(one_line(error)) from None
        if model.num_labels != 1:
            raise self._unusable(f"it gives {model.num_labels} scores per pair, not one")
        return model

    def _unusable(self, reason: str) -> ModelError:
        return ModelError(f"reranker={self._path}: not a cross-encoder ({reason}); use another")


class RerankingRetriever:
    """Orders the first passages of another retriever by a cross-encoder."""

    def __init__(self, first: Retriever, encoder: CrossEncoder) -> None:
        self._first = first
        self._encoder = encoder

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        """Equally good passages come in the order of their ids. Raises what the other raises."""
        hits = self._first.retrieve(queries, max(DEPTH, top_k) if top_k >= 1 else top_k)
        pairs = [
            (query, f"{hit.passage.title}\n{hit.passage.text}".strip())
            for query, evidence in zip(queries, hits, strict=True)
            for hit in evidence
        ]
        scores = iter(self._encoder.scores(pairs))
        return [_best([(-next(scores), hit) for hit in evidence], top_k) for evidence in hits]

    def embed(self, queries: Sequence[str]) -> Vectors:
        return self._first.embed(queries)


def _as_it_is(scores: Any) -> Any:
    """In the place of a sigmoid, which makes equals of the best."""
    return scores


def _best(scored: list[tuple[float, Evidence]], top_k: int) -> tuple[Evidence, ...]:
    ordered = sorted(scored, key=lambda own: (own[0], own[1].passage.id))
    return tuple(hit for _, hit in ordered[:top_k])
