import math

import pytest

from argo_ml.mdp.quality import QUALITIES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", 0.25),
        ("sqrt", 0.5),
        ("saturating", 1 - math.exp(-0.75)),
        ("sigmoid", 1 / (1 + math.exp(0.75))),
    ],
)
def test_value_at_a_quarter_of_full_progress_with_steepness_three(
    name: str, expected: float
) -> None:
    assert QUALITIES[name](0.25, 3.0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", QUALITIES)
@pytest.mark.parametrize("alpha", [0.01, 3.0, 1e6])
def test_quality_is_a_share_that_never_falls(name: str, alpha: float) -> None:
    values = [QUALITIES[name](step / 100, alpha) for step in range(101)]
    assert values == sorted(values)
    assert values[0] >= 0
    assert values[-1] <= 1
