from __future__ import annotations

import pytest

from argo_ml.verification.verdict import Claim, claim_above, finding


@pytest.mark.parametrize(("sign", "claim"), [(1, Claim.YES), (0, Claim.OPEN), (-1, Claim.NO)])
def test_a_sign_that_is_told_settles_a_claim(sign: int, claim: Claim) -> None:
    assert claim_above(sign) is claim


def test_open_finding_is_neither_so_nor_a_failure() -> None:
    open_finding = finding("argo best", Claim.OPEN, "+0.02 [-0.19, +0.23]")

    assert (open_finding.ok, open_finding.is_finding, open_finding.has_failed) == (
        False,
        True,
        False,
    )
