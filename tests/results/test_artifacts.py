from __future__ import annotations

from argo_ml.results.artifacts import cell_name


def test_a_cell_is_named_by_its_strategy_and_price() -> None:
    assert cell_name("argo", 0.02) == "argo c_r=0.02"
