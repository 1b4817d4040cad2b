from __future__ import annotations

import numpy as np
import pytest

from benchmarks.claim_recorded import Played, rows_by_price


def test_table_by_price_says_where_the_plan_of_the_calibration_is_the_wrong_one() -> None:
    utilities = {"never": [0.5, 0.3], "single": [0.4, 0.2], "argo_advantage": [0.5, 0.2]}
    played = Played(
        {(name, 0.1): np.array(own) for name, own in utilities.items()}, {0.1: "single"}
    )

    [row] = rows_by_price({"made up": played}, ("argo_advantage",))

    assert (row["plan of the calibration"], row["of the test"]) == ("single", "never")
    assert row["lost by the plan"] == pytest.approx(-0.1)
    assert row["argo_advantage, over the first"] == pytest.approx(0.05)
    assert row["argo_advantage, over the second"] == pytest.approx(-0.05)
