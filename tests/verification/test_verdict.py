from __future__ import annotations

import pytest

from argo_ml.verification.verdict import Claim, above_zero, at_least_zero, finding


@pytest.mark.parametrize(
    ("low", "high", "at_least", "above"),
    [
        (0.01, 0.2, Claim.YES, Claim.YES),
        (0.0, 0.2, Claim.YES, Claim.OPEN),
        (-0.19, 0.23, Claim.OPEN, Claim.OPEN),
        (-0.2, 0.0, Claim.OPEN, Claim.NO),
        (-0.2, -0.01, Claim.NO, Claim.NO),
        (-0.06, -0.06, Claim.OPEN, Claim.OPEN),
    ],
)
def test_interval_settles_a_claim_or_not(
    low: float, high: float, at_least: Claim, above: Claim
) -> None:
    assert (at_least_zero(low, high), above_zero(low, high)) == (at_least, above)


def test_open_finding_is_neither_so_nor_a_failure() -> None:
    open_finding = finding("argo best", Claim.OPEN, "+0.02 [-0.19, +0.23]")

    assert (open_finding.ok, open_finding.is_finding, open_finding.has_failed) == (
        False,
        True,
        False,
    )
