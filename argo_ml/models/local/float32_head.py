"""Logits in float32 for models that compute in less: a token is chosen among numbers that differ.

In bfloat16 the logits of likely tokens are 1/8 apart from 16 on, so that several are equal and
which of them comes first is chance.
"""

from __future__ import annotations

from typing import Any

import torch

CHUNK = 16_384
"""Tokens of the vocabulary whose weights are in float32 at once, where the device cannot multiply
into float32."""


class Float32Head(torch.nn.Module):
    """Stands for a model's output layer: the same weights, float32 products and sums.

    On the CPU a float32 copy of the weights is kept; on GPUs numbers of half the size are
    multiplied into float32 without one.
    """

    layer: Any

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self._has_copy = layer.weight.device.type == "cpu"
        # Packing puts another layer in the place of the copy.
        self.layer = _float32_copy(layer) if self._has_copy else layer

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self._has_copy:
            logits: torch.Tensor = self.layer(hidden.float())
            return logits
        weight, bias = self.layer.weight, self.layer.bias
        rows = hidden.to(weight.device).reshape(-1, hidden.shape[-1])
        product = _product(rows, weight).reshape(*hidden.shape[:-1], len(weight))
        return product if bias is None else product + bias.float()


def use_float32_head(model: Any) -> bool:
    """Put one in the place of a lower precision's output layer; whether there was such a one."""
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear or layer.weight.dtype == torch.float32:
        return False
    for parent in model.modules():
        for name, child in parent.named_children():
            if child is layer:
                setattr(parent, name, Float32Head(layer))
                return True
    return False


def _float32_copy(layer: torch.nn.Linear) -> torch.nn.Linear:
    with torch.device("meta"):
        copy = torch.nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    state = {name: tensor.float() for name, tensor in layer.state_dict().items()}
    copy.load_state_dict(state, assign=True)
    return copy.requires_grad_(requires_grad=False)


def _product(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    try:
        # Products of bfloat16 and float16 are exact in float32, as tensor cores compute them.
        product: torch.Tensor = torch.mm(rows, weight.t(), out_dtype=torch.float32)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError):
        parts = torch.split(weight, CHUNK)
        return torch.cat([rows.float() @ part.float().t() for part in parts], dim=1)
    return product
