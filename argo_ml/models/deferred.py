"""A model that is loaded, or whose server is started, only once a call is missing.

What must be known early is its identity, and that it can be loaded. Both were seen when the same
files were loaded before with the same options by the same code on the same machine, and are
remembered. A model that was never loaded so is loaded at once, and whatever is wrong with it said
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import argo_ml.models
from argo_ml.config import ModelFields, ModelSpec, shared_fields
from argo_ml.config.source_fields import ServerFields
from argo_ml.devices.cuda import machine_state
from argo_ml.errors import ModelError
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring, TokenCounts
from argo_ml.models.presets import ModelSource, resolve
from argo_ml.models.reasoning import check_thinking_room
from argo_ml.models.sealed_json import (
    code_digest,
    content_key,
    installed_version,
    read_sealed,
    write_sealed,
)
from argo_ml.models.source_files import find_files

PACKAGES = ("accelerate", "gguf", "tokenizers", "torch", "transformers")


class CapableModel(LanguageModel, Protocol):
    """What loading gives."""

    @property
    def requests_at_once(self) -> int | None: ...


class LocalModel(CapableModel, Protocol):
    """A model of this process, which counts its tokens and reports what it did for memory."""

    @property
    def tokens(self) -> TokenCounts: ...

    @property
    def events(self) -> Sequence[str]: ...

    @property
    def batch_tokens(self) -> int | None: ...

    @property
    def thinking_context(self) -> int | None: ...


ModelType = TypeVar("ModelType", bound=CapableModel)


class Deferred(Generic[ModelType]):
    """A model of a known ``identity``, which ``load`` loads at the first call."""

    def __init__(self, identity: str, load: Callable[[], ModelType]) -> None:
        self.identity = identity
        self._load = load

    @cached_property
    def loaded(self) -> ModelType:
        """The model itself. Raises `ModelError` where it is another than it was."""
        model = self._load()
        if model.identity != self.identity:
            raise ModelError(
                f"the model loads as {model.identity}, and as {self.identity} before; run it again"
            )
        return model

    @property
    def is_loaded(self) -> bool:
        return "loaded" in vars(self)

    @property
    def requests_at_once(self) -> int | None:
        return self.loaded.requests_at_once if self.is_loaded else None

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return self.loaded.generate(requests)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return self.loaded.score(requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.loaded.count_tokens(texts)


class DeferredModel(Deferred[LocalModel]):
    """A model of this process."""

    @property
    def gives_hidden_states(self) -> bool:
        return True

    @property
    def tokens(self) -> TokenCounts:
        return self.loaded.tokens if self.is_loaded else TokenCounts()

    @property
    def batch_tokens(self) -> int | None:
        """None where no call was missing, so that nothing was loaded."""
        return self.loaded.batch_tokens if self.is_loaded else None

    @property
    def events(self) -> Sequence[str]:
        return self.loaded.events if self.is_loaded else ()


def load_now(model: LanguageModel) -> LanguageModel:
    """The model as it is when it is loaded. Raises `ModelError`."""
    return model.loaded if isinstance(model, Deferred) else model


def open_deferred_model(spec: ModelSpec) -> LanguageModel:
    """The model of a preset, hub id, folder or GGUF file, in this process.

    It is loaded now unless it was loaded here before. Raises `ModelError` and `ConfigError`.
    """
    source = resolve(spec.model, spec.cache_path)
    load = partial(_load, spec, source)
    files = find_files(spec, source)
    versions = list(map(installed_version, PACKAGES))
    place = memory_place(spec, files.contents, versions) if files else None
    return now_or_later(place, load, _describe, partial(_later, spec))


def _describe(model: LocalModel) -> Mapping[str, Any]:
    return {"identity": model.identity, "thinking_context": model.thinking_context}


def _later(
    spec: ModelSpec, known: Mapping[str, Any], load: Callable[[], LocalModel]
) -> DeferredModel:
    # Answers may be longer than those that it was loaded for before.
    check_thinking_room(spec, known["thinking_context"])
    return DeferredModel(known["identity"], load)


def now_or_later(
    place: Path | None,
    load: Callable[[], ModelType],
    describe: Callable[[ModelType], Any],
    defer: Callable[[Any, Callable[[], ModelType]], Deferred[ModelType]],
) -> ModelType | Deferred[ModelType]:
    """What ``load`` loads; where ``place`` has what ``describe`` said of it before, a deferred one.

    The description is of JSON's types. One that is loaded later and fails, or is another model, is
    loaded at once the next time.
    """
    known = read_sealed(place) if place else None
    if place and known is not None:
        return defer(known, partial(_load_again, place, load, describe))
    model = load()
    if place:
        write_sealed(place, describe(model))
    return model


def memory_place(spec: ModelSpec, contents: str, versions: Sequence[str]) -> Path:
    """Where a model's description is remembered.

    ``contents`` stands for its files, ``versions`` for the software that computes with it. How
    servers are asked, as to patience and numbers of requests, decides nothing of it.
    """
    options = {
        name: str(value)
        for name, value in shared_fields(spec, ModelFields).items()
        if name not in ServerFields.model_fields
    }
    code = code_digest(list(map(Path, argo_ml.models.__path__)))
    key = content_key([contents, options, code, list(versions), machine_state()])
    return spec.cache_path / "models" / "opened" / f"{key}.json"


def _load(spec: ModelSpec, source: ModelSource) -> LocalModel:
    from argo_ml.models.local.opening import open_transformers_model

    return open_transformers_model(spec, source)


def _load_again(
    place: Path, load: Callable[[], ModelType], describe: Callable[[ModelType], Any]
) -> ModelType:
    place.unlink(missing_ok=True)
    model = load()
    write_sealed(place, describe(model))
    return model
