"""A local model that is loaded only once a call is missing.

What must be known early is its identity, and that it can be loaded. Both were seen when the same
files were loaded before with the same options by the same code on the same machine, and are
remembered. A model that was never loaded so is loaded at once, and whatever is wrong with it said
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import argo_ml.models
from argo_ml.config import ModelFields, ModelSpec, shared_fields
from argo_ml.devices.cuda import machine_state
from argo_ml.errors import ModelError
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring, TokenCounts
from argo_ml.models.presets import ModelSource, resolve
from argo_ml.models.sealed_json import (
    code_digest,
    content_key,
    installed_version,
    read_sealed,
    write_sealed,
)
from argo_ml.models.source_files import find_files

PACKAGES = ("accelerate", "gguf", "tokenizers", "torch", "transformers")


class LocalModel(LanguageModel, Protocol):
    """What loading gives: a model that counts its tokens and reports what it did for memory."""

    @property
    def tokens(self) -> TokenCounts: ...

    @property
    def events(self) -> Sequence[str]: ...

    @property
    def batch_tokens(self) -> int | None: ...

    @property
    def requests_at_once(self) -> int | None: ...


class DeferredModel:
    """A local model of a known ``identity``, which ``load`` loads at the first call."""

    def __init__(self, identity: str, load: Callable[[], LocalModel]) -> None:
        self.identity = identity
        self._load = load

    @cached_property
    def loaded(self) -> LocalModel:
        """The model itself. Raises `ModelError` where it is another than it was."""
        model = self._load()
        if model.identity != self.identity:
            raise ModelError(
                f"the model loads as {model.identity}, and as {self.identity} before; run it again"
            )
        return model

    @property
    def gives_hidden_states(self) -> bool:
        return True

    @property
    def is_loaded(self) -> bool:
        return "loaded" in vars(self)

    @property
    def tokens(self) -> TokenCounts:
        return self.loaded.tokens if self.is_loaded else TokenCounts()

    @property
    def batch_tokens(self) -> int | None:
        """None where no call was missing, so that nothing was loaded."""
        return self.loaded.batch_tokens if self.is_loaded else None

    @property
    def requests_at_once(self) -> int | None:
        return self.loaded.requests_at_once if self.is_loaded else None

    @property
    def events(self) -> Sequence[str]:
        return self.loaded.events if self.is_loaded else ()

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return self.loaded.generate(requests)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return self.loaded.score(requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.loaded.count_tokens(texts)


def load_now(model: LanguageModel) -> LanguageModel:
    """The model as it is when it is loaded. Raises `ModelError`."""
    return model.loaded if isinstance(model, DeferredModel) else model


def open_deferred_model(spec: ModelSpec) -> LanguageModel:
    """The model of a preset, hub id, folder or GGUF file, in this process.

    It is loaded now unless it was loaded here before. Raises `ModelError` and `ConfigError`.
    """
    source = resolve(spec.model, spec.cache_path)
    load = partial(_load, spec, source)
    place = _place(spec, source)
    known = read_sealed(place) if place else None
    if isinstance(known, str):
        return DeferredModel(known, _forgetting(load, place))
    model = load()
    if place:
        write_sealed(place, model.identity)
    return model


def _load(spec: ModelSpec, source: ModelSource) -> LocalModel:
    from argo_ml.models.local.opening import open_transformers_model

    return open_transformers_model(spec, source)


def _forgetting(load: Callable[[], LocalModel], place: Path | None) -> Callable[[], LocalModel]:
    """``load``, which is tried anew at the next opening where it fails or gives another model."""

    def load_again() -> LocalModel:
        if place:
            place.unlink(missing_ok=True)
        model = load()
        if place:
            write_sealed(place, model.identity)
        return model

    return load_again


def _place(spec: ModelSpec, source: ModelSource) -> Path | None:
    """Where the identity is remembered; None for what is not a file or a model of the hub."""
    files = find_files(spec, source)
    if files is None:
        return None
    options = {name: str(value) for name, value in shared_fields(spec, ModelFields).items()}
    code = code_digest(list(map(Path, argo_ml.models.__path__)))
    versions = [installed_version(name) for name in PACKAGES]
    key = content_key([files.contents, options, code, versions, machine_state()])
    return spec.cache_path / "models" / "opened" / f"{key}.json"
