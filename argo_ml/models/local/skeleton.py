"""A model as its configuration alone describes it: the size of every part, and no weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from accelerate import infer_auto_device_map  # type: ignore[import-untyped]
from accelerate.utils import CustomDtype, compute_module_sizes  # type: ignore[import-untyped]
from transformers import AutoModelForCausalLM

from argo_ml.models.local.layers import layers_by_name

# Transformers annotates this in part only.
_models: Any = AutoModelForCausalLM

QUANTISED: Mapping[str, Any] = {
    "8bit": torch.int8,
    "4bit": CustomDtype.INT4,
    "experts-4bit": CustomDtype.INT4,
}
"""What a weight of a linear layer is stored as; constants of its blocks are left out, which with
double quantisation are 0.13 bit a weight (Dettmers et al. 2023, QLoRA, section 3)."""

# It warns of every GPU of a described machine that is not this one.
logging.getLogger("accelerate.utils.modeling").setLevel(logging.ERROR)

DeviceMap = Mapping[str, "int | str"]


class Skeleton:
    """A model on torch's meta device, as it would be loaded.

    ``quantization`` is none, 8bit or 4bit, of the weights of linear layers, or experts-4bit.
    """

    def __init__(self, config: Any, precision: str, quantization: str = "none") -> None:
        with torch.device("meta"):
            self._module = _models.from_config(config, dtype=getattr(torch, precision))
        self._module.tie_weights()
        self._stored_as = {
            name: QUANTISED[quantization] for name in self._quantised_weights(quantization)
        }
        self._sizes = compute_module_sizes(self._module, special_dtypes=self._stored_as)

    @property
    def n_parameters(self) -> int:
        """Number of parameters; tied tensors count once."""
        return sum(parameter.numel() for parameter in self._module.parameters())

    @property
    def weight_bytes(self) -> int:
        """Parameters and buffers, tied tensors once."""
        return int(self._sizes[""])

    @property
    def n_layers(self) -> int:
        return len(self._layers)

    def split(self, limits: Mapping[int, int]) -> dict[str, int | str]:
        """Accelerate's device map within these bytes, filled from the first device on.

        What is too much is mapped to ``disk``.
        """
        with_rest: list[tuple[int | str, int]] = [*limits.items(), ("cpu", 0)]
        device_map = infer_auto_device_map(
            self._module,
            max_memory=dict(with_rest),
            no_split_module_classes=self._whole,
            special_dtypes=self._stored_as,
        )
        return dict(device_map)

    def bytes_by_device(self, device_map: DeviceMap) -> dict[int | str, int]:
        """Weights on every device of a map; a tied tensor counts where it comes first."""
        n_bytes: dict[int | str, int] = {}
        for name, device in device_map.items():
            n_bytes[device] = n_bytes.get(device, 0) + int(self._sizes[name])
        return n_bytes

    def layers_by_device(self, device_map: DeviceMap) -> dict[int | str, int]:
        """How many decoder layers every device of a map holds."""
        n_layers: dict[int | str, int] = {}
        for layer in self._layers:
            prefixes = (
                name for name in device_map if not name or f"{layer}.".startswith(f"{name}.")
            )
            device = device_map[max(prefixes, key=len)]
            n_layers[device] = n_layers.get(device, 0) + 1
        return n_layers

    @cached_property
    def _whole(self) -> list[str]:
        """Classes of modules that are not split: those that Transformers names, and layers."""
        named = self._module._no_split_modules or ()
        layers = layers_by_name(self._module).values()
        return sorted({*named, *(type(layer).__name__ for layer in layers)})

    @cached_property
    def _layers(self) -> list[str]:
        return list(layers_by_name(self._module)) or [
            name
            for name, module in self._module.named_modules()
            if type(module).__name__ in self._whole
        ]

    def _quantised_weights(self, quantization: str) -> list[str]:
        """bitsandbytes leaves the output layer as it is; experts are tensors without a layer."""
        if quantization == "none":
            return []
        if quantization == "experts-4bit":
            names = [name for name, _ in self._module.named_parameters()]
            return [name for name in names if ".experts." in name and "bias" not in name]
        return [
            f"{name}.weight"
            for name, module in self._module.named_modules()
            if isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] != "lm_head"
        ]
