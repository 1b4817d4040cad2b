"""What a model's name means: preset, local folder, GGUF file, hub id, server's model or script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from argo_ml.config import EMBEDDED_MODEL, expanded, suggest
from argo_ml.config.source_fields import SERVER
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.embedded_model import embedded_model_is_present, embedded_model_path
from argo_ml.models.opening import is_plugin_model

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        EMBEDDED_MODEL: "",
        "qwen2.5-0.5b": "Qwen/Qwen2.5-0.5B-Instruct",
        "qwen2.5-1.5b": "Qwen/Qwen2.5-1.5B-Instruct",
        "qwen2.5-3b": "Qwen/Qwen2.5-3B-Instruct",
        "qwen2.5-7b": "Qwen/Qwen2.5-7B-Instruct",
    }
)
"""Preset -> hub id; the embedded model has none, since it comes in a PyPI wheel."""

SCRIPTED = "scripted:"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")


class SourceKind(str, Enum):
    HUB = "hub"
    FOLDER = "folder"
    GGUF = "gguf"
    SCRIPTED = "scripted"
    SERVER = "server"
    PLUGIN = "plugin"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from.

    ``location`` is a hub id, a folder, a script's file, what a plugin knows the model by, or the
    name that a server gives it (empty: the only one it has); ``gguf_file`` the file's name inside
    that folder; ``revision`` a hub revision where one was asked for (``org/name@revision``).
    """

    kind: SourceKind
    location: str
    gguf_file: str = ""
    revision: str = ""


def resolve(model: str, cache_path: Path) -> ModelSource:
    """What ``model`` stands for.

    A local folder or file is taken before a hub id of the same spelling. Raises `ConfigError` for
    a name that is none of these and `ModelError` for the embedded model before it was fetched.
    """
    if model.startswith(SCRIPTED):
        return _scripted(model.removeprefix(SCRIPTED))
    if model.startswith(SERVER):
        return ModelSource(SourceKind.SERVER, model.removeprefix(SERVER))
    if is_plugin_model(model):
        return ModelSource(SourceKind.PLUGIN, model.partition(":")[2])
    if model == EMBEDDED_MODEL:
        return _embedded(cache_path)
    if model in PRESETS:
        return ModelSource(SourceKind.HUB, PRESETS[model])
    path = expanded(model, "model")
    if path.exists():
        return _local(model, path)
    if path.suffix == ".gguf" or path.is_absolute() or model.startswith((".", "~")):
        raise ConfigError(f"model={model}: no such file or folder")
    if _HUB_ID.fullmatch(model):
        location, _, revision = model.partition("@")
        return ModelSource(SourceKind.HUB, location, revision=revision)
    raise ConfigError(
        f"model={model!r} is unknown{suggest(model, PRESETS)}; or a local folder, a .gguf file, "
        "a hub id (org/name), server:NAME, scripted:FILE"
    )


def _scripted(location: str) -> ModelSource:
    if not location:
        raise ConfigError("model=scripted: scripted:FILE needs a file, a JSON or YAML table")
    return ModelSource(SourceKind.SCRIPTED, str(expanded(location, "model")))


def _embedded(cache_path: Path) -> ModelSource:
    path = embedded_model_path(cache_path)
    if not embedded_model_is_present(cache_path):
        raise ModelError(f"model={EMBEDDED_MODEL}: not in {path.parent}; run argo-ml fetch")
    return ModelSource(SourceKind.GGUF, str(path.parent), path.name)


def _local(model: str, path: Path) -> ModelSource:
    if path.is_file():
        if path.suffix != ".gguf":
            raise ConfigError(f"model={model}: a file must be a .gguf; or give a model's folder")
        return ModelSource(SourceKind.GGUF, str(path.parent.resolve()), path.name)
    if (path / "config.json").is_file():
        return ModelSource(SourceKind.FOLDER, str(path.resolve()))
    gguf_files = sorted(path.glob("*.gguf"))
    if len(gguf_files) == 1:
        return ModelSource(SourceKind.GGUF, str(path.resolve()), gguf_files[0].name)
    names = ", ".join(file.name for file in gguf_files) or "none"
    raise ConfigError(f"model={model}: no config.json and not exactly one .gguf there ({names})")
