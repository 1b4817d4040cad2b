from __future__ import annotations

import math

import pytest

from argo_ml.models.base import Generation, Prompt


@pytest.mark.parametrize("temperature", [-0.1, math.nan, math.inf])
def test_a_temperature_that_is_none_is_named(temperature: float) -> None:
    with pytest.raises(ValueError, match=f"temperature={temperature}: must be finite"):
        Generation(Prompt("system", "user"), 5, temperature=temperature)


def test_requests_are_greedy_and_without_details_unless_asked_for() -> None:
    request = Generation(Prompt("system", "user"), 5)
    assert (request.temperature, request.seed, request.details) == (0.0, 0, False)
