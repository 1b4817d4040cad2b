from __future__ import annotations

import pytest
import torch

from argo_ml.models.local import packed_linear
from argo_ml.models.local.packed_linear import PackedLinear, pack_linear_layers


def network(dtype: torch.dtype = torch.float32) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(24, 40, bias=False, dtype=dtype),
        torch.nn.ReLU(),
        torch.nn.Sequential(torch.nn.Linear(40, 7, dtype=dtype)),
    )


@pytest.mark.parametrize("shape", [(1, 24), (5, 24), (2, 3, 24), (300, 24)])
def test_packed_layers_compute_what_linear_ones_do(shape: tuple[int, ...]) -> None:
    model, inputs = network(), torch.rand(shape)
    with torch.inference_mode():
        expected = model(inputs)
        n_packed = pack_linear_layers(model)
        outputs = model(inputs)

    assert n_packed == 2
    assert isinstance(model[0], PackedLinear)
    assert torch.allclose(outputs, expected, atol=1e-5)


def test_other_precisions_are_left_as_they_are() -> None:
    model = network(torch.float16)

    assert pack_linear_layers(model) == 0
    assert type(model[0]) is torch.nn.Linear


@pytest.mark.parametrize(("is_fast", "n_packed"), [(True, 2), (False, 0)])
def test_bfloat16_is_packed_where_the_processor_multiplies_it_fastest(
    monkeypatch: pytest.MonkeyPatch, is_fast: bool, n_packed: int
) -> None:
    monkeypatch.setattr(packed_linear, "multiplies_bfloat16", lambda: is_fast)
    monkeypatch.setattr(packed_linear, "_works", lambda dtype: True)
    monkeypatch.setattr(packed_linear, "PackedLinear", lambda linear: torch.nn.Identity())

    assert pack_linear_layers(network(torch.bfloat16)) == n_packed


def test_without_the_operators_the_model_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_linear, "_works", lambda dtype: False)
    model = network()

    assert pack_linear_layers(model) == 0
    assert type(model[0]) is torch.nn.Linear
