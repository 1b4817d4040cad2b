"""From a model's name to a model, by the prefix of the name."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from argo_ml.config import ModelSpec
from argo_ml.devices.threads import set_threads
from argo_ml.models.base import LanguageModel

OPENERS: Mapping[str, str] = MappingProxyType(
    {
        "scripted": "argo_ml.models.scripted:open_scripted",
        "server": "argo_ml.models.server.opening:open_server_model",
    }
)
"""Prefix of a model's name, before its colon -> what opens it, imported when it is needed."""

LOCAL = "argo_ml.models.local.opening:open_local_model"
"""Opens presets, hub ids, folders and GGUF files."""


def load_model(spec: ModelSpec) -> LanguageModel:
    """The model that ``spec.model`` names, ready to use.

    Raises:
        ConfigError: a name, folder or table that is none.
        ModelError: a model that cannot be found, reached or loaded, or does not fit.
    """
    if spec.threads is not None:
        # Whatever the model: the embedder computes with PyTorch as well.
        set_threads(spec.threads)
    prefix, colon, _ = spec.model.partition(":")
    opener = OPENERS.get(prefix, LOCAL) if colon else LOCAL
    model: LanguageModel = pkgutil.resolve_name(opener)(spec)
    return model
