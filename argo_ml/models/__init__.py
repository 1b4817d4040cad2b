"""Language models: the contract, its backends, and the cache around them."""

from argo_ml.models.base import LanguageModel
from argo_ml.models.opening import load_model

__all__ = ["LanguageModel", "load_model"]
