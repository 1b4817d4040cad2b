"""A Transformers model behind one set of argument names."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import torch

from argo_ml.errors import ModelError
from argo_ml.models.local.hidden_states import with_states


@dataclass(frozen=True, slots=True)
class ForwardOutput:
    """Logits (rows, columns, vocabulary) and the key-value cache after all columns.

    ``states`` are the last column's where they were asked for, as `with_states` gives them.
    """

    logits: torch.Tensor
    cache: Any
    states: torch.Tensor | None = None


class Forward:
    """One forward pass, whatever the model's class and the library's version call its arguments.

    Transformers renamed ``past_key_values`` to ``cache`` in 5.21, and not every architecture
    takes positions or can leave out the logits of all columns but the last. Raises `ModelError`
    for a model without a key-value cache.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        known = inspect.signature(model.forward).parameters
        names = [name for name in ("cache", "past_key_values") if name in known]
        if not names:
            raise ModelError(
                f"model class {type(model).__name__}: has no key-value cache; "
                "use a decoder-only transformer"
            )
        self._cache_name = names[0]
        self._takes_positions = "position_ids" in known
        self._can_keep_last = "logits_to_keep" in known

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self._model.config

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in; its logits may be of a higher precision."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        """The device that inputs go to."""
        device: torch.device = self._model.device
        return device

    def with_states(self, ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> ForwardOutput:
        """Compute ``ids`` and read the last column's states on the way."""
        output, states = with_states(self._model, lambda: self(ids, mask, cache))
        return replace(output, states=states)

    def __call__(
        self, ids: torch.Tensor, mask: torch.Tensor, cache: Any = None, last_only: bool = True
    ) -> ForwardOutput:
        """Compute ``ids`` (rows, columns), the continuation of what ``cache`` holds.

        ``mask`` (rows, cached + new columns) is 0 for padding; positions count its ones.
        """
        columns = ids.shape[1]
        arguments: dict[str, Any] = {self._cache_name: cache}
        if self._takes_positions:
            arguments["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -columns:]
        if self._can_keep_last and last_only:
            arguments["logits_to_keep"] = 1
        output = self._model(input_ids=ids, attention_mask=mask, use_cache=True, **arguments)
        logits = output.logits[:, -1:] if last_only else output.logits
        return ForwardOutput(logits, getattr(output, self._cache_name))
