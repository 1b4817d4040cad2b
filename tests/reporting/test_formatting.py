from __future__ import annotations

import pytest

from argo_ml.reporting import formatting
from argo_ml.statistics.intervals import Estimate


def test_estimates_have_three_decimals_and_brackets() -> None:
    estimate = Estimate(mean=0.61249, low=0.5, high=0.7)

    assert formatting.interval(estimate) == "0.612 [0.500, 0.700]"
    assert formatting.difference(estimate) == "+0.612 [+0.500, +0.700]"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.00099, "<0.001"), (0.001, "0.001"), (1.0, "1.000")]
)
def test_small_p_values_are_not_zero(value: float, shown: str) -> None:
    assert formatting.p_value(value) == shown


def test_undefined_is_said_so() -> None:
    assert formatting.number(None) == "n/a"
    assert formatting.interval(None) == "n/a"
    assert formatting.difference(None) == "n/a"
    assert formatting.percent(None) == "n/a"
    assert formatting.yes_or_no(None) == "n/a"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("", "not set"), (None, "not set"), ([], "not set"), (["a", 1], "a, 1"), (False, "False")],
)
def test_settings_are_written_as_given(value: object, shown: str) -> None:
    assert formatting.setting(value) == shown
