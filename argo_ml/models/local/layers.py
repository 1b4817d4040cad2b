"""Where the decoder layers of a model are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def layers_by_name(model: Any) -> Mapping[str, Any]:
    """The modules of the first list that has as many as the configuration says there are layers.

    Empty for a model without such a list.
    """
    n_layers = n_hidden_layers(model)
    lists = (own for own in model.named_modules() if isinstance(own[1], torch.nn.ModuleList))
    name, layers = next((own for own in lists if len(own[1]) == n_layers), ("", ()))
    return {f"{name}.{at}": layer for at, layer in enumerate(layers)}


def n_hidden_layers(model: Any) -> int | None:
    return getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", None)
