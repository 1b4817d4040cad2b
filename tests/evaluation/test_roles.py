"""Parts that strategies play, and those of packages that are not installed."""

from __future__ import annotations

import logging

import pytest

from argo_ml.evaluation import roles
from argo_ml.policies.description import Role


def test_parts_are_those_of_the_descriptions() -> None:
    assert roles.is_fixed("single") and not roles.is_fixed("random")
    assert roles.is_ceiling("oracle")
    assert roles.is_gate("entropy_gate") and not roles.is_gate("flare")
    assert roles.is_argo("argo_optimal") and not roles.is_argo("fixed_threshold")
    assert roles.contenders_of(Role.ADAPTIVE) == (
        "argo_calibrated",
        "argo_fitted",
        "argo_advantage",
        "argo_segment",
    )
    assert roles.contenders_of(Role.ORIGINAL) == ("argo",)
    assert roles.stopping_at_theta_star() == ("argo", "always_retrieve", "always_reason", "random")


def test_strategy_of_another_package_plays_no_part_and_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not roles.is_fixed("elsewhere_1") and not roles.is_ceiling("elsewhere_1")

    assert [record.getMessage()[:36] for record in caplog.records] == [
        "strategy elsewhere_1 is not installed"[:36]
    ]
