"""From a model's name to a model, by the prefix of the name."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable

from argo_ml.config import ModelFields, ModelSpec, PlanSpec, expanded, suggest
from argo_ml.devices.threads import use_threads
from argo_ml.errors import ConfigError
from argo_ml.models.base import LanguageModel, gives_hidden_states
from argo_ml.plugins import PartTable

Opener = Callable[[ModelSpec], LanguageModel]

OPENERS: dict[str, str | Opener] = {
    "scripted": "argo_ml.models.scripted:open_scripted",
    "server": "argo_ml.models.server.opening:open_server_model",
}
"""Prefix of a model's name, before its colon -> what opens it, imported when it is needed."""

ALL_OPENERS = PartTable("argo_ml.models", "model backend", OPENERS, callable)
"""The openers above, and those of other installed packages."""

LOCAL = "argo_ml.models.deferred:open_deferred_model"
"""Opens presets, hub ids, folders and GGUF files, and loads them when a call is missing."""

STARTED = "argo_ml.models.engines.opening:open_engine_model"
"""Opens them in a server that it starts."""

# One letter before a colon is the drive of a path.
_PREFIX = re.compile(r"([A-Za-z][\w-]+):.*", re.DOTALL)


def load_model(spec: ModelSpec) -> LanguageModel:
    """The model that ``spec.model`` names, ready to use or to be loaded at the first call.

    Raises:
        ConfigError: a name, folder or table that is none.
        ModelError: a model that cannot be found, reached or loaded, or does not fit.
    """
    # Whatever the model: the embedder computes with PyTorch as well.
    use_threads(spec.threads)
    opener = _opener(spec.model)
    if opener == LOCAL and not runs_here(spec):
        opener = STARTED
    open_model: Opener = pkgutil.resolve_name(opener) if isinstance(opener, str) else opener
    model = open_model(spec)
    if spec.hidden_states and not gives_hidden_states(model):
        raise ConfigError(
            f"hidden_states=true: model={spec.model} tells of none; use a model that runs in this "
            "process, or leave hidden_states out"
        )
    return model


def runs_here(spec: ModelFields | PlanSpec) -> bool:
    """Whether this process computes with the model, and no server. Raises `ConfigError`."""
    return _opener(spec.model) == LOCAL and getattr(spec, "engine", "auto") in ("auto", "plain")


def is_served(spec: ModelFields) -> bool:
    """Whether servers compute with the model: started ones, or those of ``server_urls``."""
    is_started = _opener(spec.model) == LOCAL and not runs_here(spec)
    return is_started or spec.model.startswith("server:")


def is_plugin_model(model: str) -> bool:
    """Whether another installed package opens ``model``."""
    named = _PREFIX.fullmatch(model)
    return named is not None and ALL_OPENERS.is_plugin(named[1])


def _opener(model: str) -> str | Opener:
    named = _PREFIX.fullmatch(model)
    if named is None:
        return LOCAL
    prefix = named[1]
    if prefix in ALL_OPENERS:
        return ALL_OPENERS[prefix]
    if expanded(model, "model").exists():
        return LOCAL
    raise ConfigError(f"model={model}: prefix {prefix!r} is unknown{suggest(prefix, ALL_OPENERS)}")
