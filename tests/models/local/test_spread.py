from __future__ import annotations

from typing import Any

import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import nn

from argo_ml.models.local.spread import SharedCopies, share_copies


class Layer(nn.Module):
    def forward(self, hidden: torch.Tensor, *, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        cache.append(mask.device.type)
        return hidden + 1


class Model(nn.Module):
    """Two layers, of which the second lies elsewhere, as torch's device without memory does."""

    def __init__(self, n_elsewhere: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(1 + n_elsewhere))
        for number, layer in enumerate(self.layers):
            place = "meta" if number else "cpu"
            hook = AlignDevicesHook(execution_device=place, skip_keys=["cache"])
            add_hook_to_module(layer, hook)
        outermost = AlignDevicesHook("cpu", io_same_device=True, skip_keys=["cache"])
        add_hook_to_module(self, outermost)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden, mask=mask, cache=cache)
        return hidden


class Counting:
    def __init__(self) -> None:
        self.n_elements: list[int] = []

    def __call__(self, tensor: torch.Tensor, device: Any) -> torch.Tensor:
        self.n_elements.append(tensor.numel())
        return tensor.to(device)


def test_masks_and_hidden_states_go_to_another_device_once_in_a_pass() -> None:
    model, counting = Model(n_elsewhere=5), Counting()
    assert share_copies(model, SharedCopies(counting)) == 7
    cache: list[str] = []

    for _ in range(2):
        output = model(torch.zeros(3), mask=torch.ones(4), cache=cache)

    assert counting.n_elements == [4, 3, 4, 3]
    assert cache == 2 * ["cpu", *5 * ["meta"]]
    assert output.device.type == "meta", "what the last layer gives stays where it is"


def test_what_a_pass_has_changed_is_copied_again() -> None:
    model = Model(n_elsewhere=1)
    copied: list[float] = []

    def copy(tensor: torch.Tensor, device: Any) -> torch.Tensor:
        copied.append(float(tensor.sum()))
        return tensor.to(device)

    share_copies(model, SharedCopies(copy))
    mask = torch.ones(4)
    model(torch.zeros(3), mask=mask, cache=[])
    mask[0] = 5
    model(torch.zeros(3), mask=mask, cache=[])

    assert copied == [4.0, 3.0, 8.0, 3.0]


def test_a_model_whose_weights_are_brought_in_keeps_its_hooks() -> None:
    model = Model(n_elsewhere=1)
    hook = AlignDevicesHook("cpu", offload=True, weights_map={})
    add_hook_to_module(model.layers[0], hook)
    assert share_copies(model) == 0
    assert model.layers[0]._hf_hook is hook


def test_a_model_on_one_device_has_none() -> None:
    assert share_copies(nn.Linear(2, 2)) == 0
