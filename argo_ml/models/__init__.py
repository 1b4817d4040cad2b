"""Language models: the contract, its backends, and the cache around them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from argo_ml.models.base import LanguageModel

if TYPE_CHECKING:
    from argo_ml.config import ExperimentSpec

__all__ = ["LanguageModel", "load_model"]


def load_model(spec: ExperimentSpec) -> LanguageModel:
    """The model that ``spec.model`` names, ready to use.

    Raises:
        ConfigError: a name, folder or table that is none.
        ModelError: a model that cannot be found, reached or loaded, or does not fit.
    """
    from argo_ml.models.presets import SourceKind, resolve

    source = resolve(spec.model, spec.cache_path)
    _use_threads(spec.threads)
    if source.kind is SourceKind.SCRIPTED:
        from argo_ml.models.scripted import ScriptedModel

        return ScriptedModel.read(Path(source.location))
    if source.kind is SourceKind.SERVER:
        from argo_ml.models.server.opening import open_server_model

        return open_server_model(spec, source)
    from argo_ml.models.opening import open_transformers_model

    return open_transformers_model(spec, source)


def _use_threads(n_threads: int | None) -> None:
    """None leaves PyTorch its own choice, and unimported where nothing else needs it."""
    if n_threads is not None:
        import torch

        torch.set_num_threads(n_threads)
