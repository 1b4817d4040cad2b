from __future__ import annotations

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.break_even import break_even, break_evens
from argo_ml.results.records import CellResult


def never(correct: str, price: float = 0.1) -> CellResult:
    return sweep.cell("never", price, correct)


def single(correct: str, price: float = 0.1) -> CellResult:
    return sweep.cell("single", price, correct, ["retrieve"])


def test_one_retrieval_is_worth_what_it_adds_to_accuracy() -> None:
    found = break_even(single("1111100000"), never("1100000001"), mu=1.0)

    # 5 of 10 against 3 of 10; three answers corrected, one spoiled.
    assert found is not None
    assert found.price.mean == pytest.approx(0.5 - 0.3)
    assert (found.accuracy_more, found.accuracy_fewer) == (0.5, 0.3)
    assert (found.corrected, found.spoiled) == (0.3, 0.1)
    assert found.price.low <= 0.0 < found.price.high


def test_price_is_the_same_at_whatever_price_the_cells_ran() -> None:
    cheap = break_even(single("1110", 0.02), never("1000", 0.02), mu=1.0)
    dear = break_even(single("1110", 0.9), never("1000", 0.9), mu=1.0)

    assert cheap is not None and dear is not None
    assert cheap.price.mean == pytest.approx(0.5)
    assert dear.price.mean == pytest.approx(0.5)


def test_more_retrievals_share_what_they_add_together() -> None:
    thrice = sweep.cell("always_retrieve", 0.1, "1111", ["retrieve"] * 3)

    found = break_even(thrice, single("1100"), mu=1.0)

    # Two more retrievals a question add 0.5.
    assert found is not None
    assert found.price.mean == pytest.approx(0.25)
    assert found.retrievals_more == 3.0


def test_other_costs_and_mu_are_paid_before_retrievals() -> None:
    reasoning = sweep.cell("always_retrieve", 0.1, "1111", ["retrieve", "reason", "reason"])

    found = break_even(reasoning, never("1000"), mu=0.5)

    # 0.75 / 0.5 - 2 x 0.02.
    assert found is not None
    assert found.price.mean == pytest.approx(1.5 - 0.04)


def test_retrieving_that_harms_pays_at_no_price() -> None:
    found = break_even(single("1000"), never("1110"), mu=1.0)

    assert found is not None
    assert found.price.mean == pytest.approx(-0.5)


def test_interval_is_that_of_the_paired_difference() -> None:
    # 40 of 100 corrected, none spoiled: 0.4 with a standard error of 0.049.
    found = break_even(single("1" * 40 + "0" * 60), never("0" * 100), mu=1.0)

    assert found is not None
    assert found.price.low == pytest.approx(0.4 - 1.96 * 0.049, abs=0.011)
    assert found.price.high == pytest.approx(0.4 + 1.96 * 0.049, abs=0.011)


def test_same_gain_on_every_question_is_exact() -> None:
    found = break_even(single("1111"), never("0000"), mu=1.0)

    assert found is not None
    assert (found.price.low, found.price.mean, found.price.high) == (1.0, 1.0, 1.0)


def test_no_price_is_equal_where_no_more_is_retrieved_or_prices_weigh_nothing() -> None:
    assert break_even(never("1111"), never("1000"), mu=1.0) is None
    assert break_even(single("1111"), never("1000"), mu=0.0) is None


def test_pairs_are_one_against_none_and_always_against_one() -> None:
    always = sweep.cell("always_retrieve", 0.1, "1111", ["retrieve"] * 2)

    def pairs(*cells: CellResult) -> list[tuple[str, str]]:
        return [(one.more, one.fewer) for one in break_evens(sweep.results(*cells))]

    assert pairs(never("1000"), single("1100"), always) == [
        ("single", "never"),
        ("always_retrieve", "single"),
    ]
    assert pairs(never("1000"), always) == [("always_retrieve", "never")]
    assert pairs(never("1000")) == []


def test_strategy_that_acts_by_the_price_is_taken_at_the_lowest() -> None:
    cells = [
        single("1100", 0.1),
        single("1100", 0.2),
        sweep.cell("always_retrieve", 0.1, "1111", ["retrieve"] * 3),
        sweep.cell("always_retrieve", 0.2, "1110", ["retrieve"] * 2),
    ]

    [found] = break_evens(sweep.results(*cells))

    assert (found.price.mean, found.acts_as_at) == (pytest.approx(0.25), 0.1)
