from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.gains import acted_on, gain_bins
from argo_ml.results.records import CellResult, DecisionResult


def acted(action: str, gain: float | None, correct: bool | None) -> DecisionResult:
    return DecisionResult(action=action, expected_gain=gain, correct=correct)


def test_realised_gain_is_what_acting_added_to_stopping_there() -> None:
    taken = (
        acted("retrieve", 0.3, False),
        acted("reason", 0.1, True),
        acted("stop", 0.0, True),
    )
    cell = sweep.cell("argo_fitted", 0.1, "1", ["retrieve", "reason"], decisions=[taken])

    found = acted_on(cell, {"mu": 2.0, "reason_cost": 0.02})

    assert list(found["expected"]) == [0.1, 0.3]
    assert list(found["realised"]) == pytest.approx([-2 * 0.02, 1.0 - 2 * 0.12])


def test_decisions_that_did_not_look_or_expect_are_left_out() -> None:
    taken = [
        (acted("retrieve", None, True), acted("stop", None, True)),
        (acted("retrieve", 0.2, None), acted("stop", 0.0, True)),
        (acted("stop", 0.0, True),),
    ]
    actions = [["retrieve"], ["retrieve"], []]
    cell = sweep.cell("argo_fitted", 0.1, "111", actions, decisions=taken)

    assert len(acted_on(cell, sweep.SPEC)) == 0
    assert gain_bins(sweep.results(cell)) == ()


def test_bins_hold_equally_many_decisions_of_all_prices() -> None:
    def cell(price: float, first: float) -> CellResult:
        taken = [
            (acted("retrieve", first + index / 100, False), acted("stop", 0.0, True))
            for index in range(40)
        ]
        return sweep.cell("argo_fitted", price, "0" * 20 + "1" * 20, ["retrieve"], decisions=taken)

    low, high = gain_bins(sweep.results(cell(0.1, 0.0), cell(0.2, 0.5)))

    assert (low.n, high.n, low.n_questions, high.n_questions) == (40, 40, 40, 40)
    assert (low.expected, high.expected) == pytest.approx((0.195, 0.695))
    assert (low.realised.mean, high.realised.mean) == pytest.approx((0.4, 0.3))
    assert low.realised.low < 0.4 < low.realised.high


def test_few_questions_share_one_bin_however_many_prices() -> None:
    taken = [
        (acted("retrieve", index / 100, False), acted("stop", 0.0, True)) for index in range(9)
    ]
    cells = [
        sweep.cell("argo_fitted", price / 10, "111000111", ["retrieve"], decisions=taken)
        for price in range(1, 9)
    ]

    [only] = gain_bins(sweep.results(*cells))

    assert (only.n, only.n_questions) == (72, 9)


def test_equal_expectations_share_a_bin() -> None:
    taken = [(acted("retrieve", 0.2, False), acted("stop", 0.0, True))] * 4
    cell = sweep.cell("argo_calibrated", 0.1, "1110", ["retrieve"], decisions=taken)

    [only] = gain_bins(sweep.results(cell))

    assert (only.strategy, only.n) == ("argo_calibrated", 4)
    assert (only.expected, only.realised.mean) == pytest.approx((0.2, 0.65))


def test_oracle_takes_no_decisions_of_its_own() -> None:
    taken = [(acted("retrieve", 0.2, False), acted("stop", 0.0, True))]

    assert (
        gain_bins(sweep.results(sweep.cell("oracle", 0.1, "1", ["retrieve"], decisions=taken)))
        == ()
    )
