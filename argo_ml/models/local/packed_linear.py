"""Linear layers whose weights are packed once for the processor.

PyTorch's own linear layer packs its weights again at every call. oneDNN can keep them packed,
which is the same arithmetic in another order; PyTorch reaches that through the operators that its
compiler puts in place of linear layers (torch/_inductor/fx_passes/mkldnn_fusion.py).
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from argo_ml.devices.processor import multiplies_bfloat16

logger = logging.getLogger(__name__)

_HINT_ROWS = 64
"""Rows that weights are packed for; timings differ little between 20 and 4,000."""


class PackedLinear(torch.nn.Module):
    """Stands for a ``torch.nn.Linear`` on the CPU."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _HINT_ROWS)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self._packed, self.bias, "none", [], ""
        )
        return packed

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


def pack_linear_layers(model: Any) -> int:
    """Put packed layers in place of the CPU's float32 ones; returns how many.

    And of bfloat16 ones where the processor multiplies those fastest. None where this build of
    PyTorch cannot, which costs speed and nothing else.
    """
    kinds = [torch.float32, *([torch.bfloat16] if multiplies_bfloat16() else [])]
    usable = {dtype for dtype in kinds if _works(dtype)}
    layers = [
        (parent, name, child)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if type(child) is torch.nn.Linear
        and child.weight.device.type == "cpu"
        and child.weight.dtype in usable
    ]
    with torch.inference_mode():
        for parent, name, linear in layers:
            setattr(parent, name, PackedLinear(linear))
    return len(layers)


def _works(dtype: torch.dtype) -> bool:
    """Whether the operators are there and compute what a linear layer does."""
    linear = torch.nn.Linear(8, 4, dtype=dtype)
    inputs = torch.rand(3, 8, dtype=dtype)
    tolerance = torch.finfo(dtype).eps * 100
    try:
        with torch.inference_mode():
            agrees = torch.allclose(PackedLinear(linear)(inputs), linear(inputs), atol=tolerance)
    except (AttributeError, RuntimeError, TypeError) as error:
        logger.debug("linear layers are not packed: %s", error)
        return False
    return agrees
