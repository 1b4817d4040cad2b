"""The states of a few layers at a prompt's last token, read from the pass that computes it anyway.

A state is divided by its root mean square, as a model's own normalisation does, and multiplied by a
fixed matrix of random signs: inner products of states survive that (Achlioptas 2003), so a linear
model of some hundred questions finds in 64 numbers of a layer what it finds in thousands, and the
cache of calls stays small whatever the model's width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch

from argo_ml.errors import ModelError
from argo_ml.models.base import Generation, Scoring
from argo_ml.models.hidden_states import N_LAYERS, N_PROJECTIONS, HiddenState, rounded_state
from argo_ml.models.local.layers import layers_by_name, n_hidden_layers

ResultType = TypeVar("ResultType")
OnStates = Callable[[Sequence[int], torch.Tensor], None]
"""Receives some rows of a batch and their states (rows, `N_LAYERS` * `N_PROJECTIONS`)."""


def with_states(
    model: Any, run: Callable[[], ResultType], column: int = -1
) -> tuple[ResultType, torch.Tensor]:
    """What ``run`` returns, and the states (rows, `N_LAYERS` * `N_PROJECTIONS`) of ``column`` in
    the first forward pass of ``model`` that it makes.

    Raises `ModelError` for a model whose layers cannot be told.
    """
    states: dict[int, torch.Tensor] = {}

    def reads(number: int) -> Callable[..., None]:
        def read(_: Any, __: Any, output: Any) -> None:
            if number not in states:
                hidden = output[0] if isinstance(output, tuple) else output
                states[number] = _projected(hidden[:, column], number)

        return read

    layers = read_layers(model)
    hooks = [layer.register_forward_hook(reads(at)) for at, layer in enumerate(layers)]
    try:
        result = run()
    finally:
        for hook in hooks:
            hook.remove()
    return result, torch.cat([states[number] for number in range(len(layers))], dim=1)


class PromptStates:
    """The states of the prompts of one batch: ``by_row``, empty for those that ask for none."""

    def __init__(self, requests: Sequence[Generation | Scoring]) -> None:
        self._requests = requests
        self.by_row: list[HiddenState] = [()] * len(requests)

    @property
    def on_states(self) -> OnStates | None:
        """What receives them; None where nobody asks."""
        is_wanted = any(request.hidden_state for request in self._requests)
        return self._add if is_wanted else None

    def _add(self, rows: Sequence[int], states: torch.Tensor) -> None:
        for row, values in zip(rows, states.tolist(), strict=True):
            if self._requests[row].hidden_state:
                self.by_row[row] = rounded_state(values)


def read_layers(model: Any) -> list[Any]:
    """The layers that are read: at equal distances, the last one among them.

    Raises `ModelError` for a model without a list of as many layers as its configuration says.
    """
    layers = list(layers_by_name(model).values())
    if not layers:
        raise ModelError(
            f"hidden_states=true: architecture {model.config.model_type} has no list of its "
            f"{n_hidden_layers(model)} layers; leave it out, or use another model"
        )
    return [layers[max(0, len(layers) * (at + 1) // N_LAYERS - 1)] for at in range(N_LAYERS)]


def _projected(hidden: torch.Tensor, number: int) -> torch.Tensor:
    """(rows, width) to (rows, `N_PROJECTIONS`), on the CPU in float32."""
    values = hidden.detach().float().cpu()
    scale = values.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-12)
    return (values / scale) @ _signs(values.shape[1], number)


@lru_cache(maxsize=16)
def _signs(width: int, number: int) -> torch.Tensor:
    """(width, `N_PROJECTIONS`) random signs, the same for ever, scaled to keep lengths of 1."""
    n_bytes = width * N_PROJECTIONS // 8
    content = hashlib.shake_256(f"argo hidden state {number}".encode()).digest(n_bytes)
    bits = np.unpackbits(np.frombuffer(content, dtype=np.uint8)).astype(np.float32)
    signs = (2 * bits - 1).reshape(width, N_PROJECTIONS)
    return torch.from_numpy(signs / np.float32(width**0.5))
