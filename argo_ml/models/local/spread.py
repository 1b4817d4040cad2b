"""A model whose layers lie on several GPUs: what all layers of one need is copied there once.

Accelerate's hooks copy every argument of every layer to that layer's GPU, and the logits back to
the first one. Masks and positions are the same for all layers, and a token can be chosen where the
logits are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from accelerate.hooks import AlignDevicesHook, ModelHook  # type: ignore[import-untyped]

# Accelerate is not annotated.
_hook: Any = ModelHook

Copy = Callable[[torch.Tensor, Any], torch.Tensor]


def copied(tensor: torch.Tensor, device: Any) -> torch.Tensor:
    return tensor.to(device)


class SharedCopies:
    """Copies of tensors on other devices, for the time of one forward pass."""

    def __init__(self, copy: Copy = copied) -> None:
        self._copy = copy
        self._copies: dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]] = {}

    def forget(self) -> None:
        self._copies.clear()

    def on(self, device: Any, value: Any) -> Any:
        """``value`` with its tensors on ``device``; what is there already is not copied."""
        if isinstance(value, torch.Tensor):
            return self._tensor_on(device, value)
        if type(value) in (tuple, list):
            return type(value)(self.on(device, item) for item in value)
        if type(value) is dict:
            return {name: self.on(device, item) for name, item in value.items()}
        return value

    def _tensor_on(self, device: Any, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.device == torch.device(device):
            return tensor
        key = (id(tensor), str(device))
        if key not in self._copies:
            # The tensor is kept as well, so that no other gets its id meanwhile.
            self._copies[key] = (tensor, self._copy(tensor, device))
        return self._copies[key][1]


class _Sharing(_hook):  # type: ignore[misc]
    """Stands for the hook of one module; the model's own, the ``outermost``, begins a pass."""

    def __init__(self, hook: Any, copies: SharedCopies, outermost: bool) -> None:
        self._device, self._left_out = hook.execution_device, hook.skip_keys or ()
        self._copies, self._outermost = copies, outermost

    def pre_forward(
        self, _: torch.nn.Module, *args: Any, **kwargs: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._outermost:
            self._copies.forget()
        moved = {
            name: value if name in self._left_out else self._copies.on(self._device, value)
            for name, value in kwargs.items()
        }
        return self._copies.on(self._device, args), moved

    def post_forward(self, _: torch.nn.Module, output: Any) -> Any:
        if self._outermost:
            self._copies.forget()
        return output


def share_copies(model: Any, copies: SharedCopies | None = None) -> int:
    """Put sharing hooks in the place of Accelerate's own; returns how many.

    None for a model on one device, or with weights that are brought in for each pass.
    """
    hooked = [module for module in model.modules() if hasattr(module, "_hf_hook")]
    hooks = [module._hf_hook for module in hooked]
    if any(type(hook) is not AlignDevicesHook or hook.offload for hook in hooks):
        return 0
    shared = copies or SharedCopies()
    for module, hook in zip(hooked, hooks, strict=True):
        module._hf_hook = _Sharing(hook, shared, module is model)
    return len(hooked)
