from __future__ import annotations

from collections.abc import Sequence

import pytest
from builders import hand_made_sweep as sweep
from builders import synthetic_evaluation

from argo_ml.advising.choosing import best
from argo_ml.evaluation.judged_cells import JudgedCell, best_fixed, judge_cells, mean_utilities
from argo_ml.evaluation.record import Evaluation, StrategyRow
from argo_ml.evaluation.strategy_rows import strategy_rows
from argo_ml.results.records import CellResult


def rows(*cells: CellResult) -> tuple[StrategyRow, ...]:
    return strategy_rows(judge_cells(sweep.results(*cells)))


def test_row_has_the_means_of_its_cell() -> None:
    actions = [["retrieve"], ["retrieve", "reason"], [], ["reason"]]

    [row] = rows(sweep.cell("argo", 0.1, "1101", actions))

    assert (row.n, row.accuracy.mean, row.rc, row.reason_calls) == (4, 0.75, 0.5, 0.5)
    assert row.accuracy.low == pytest.approx(0.30064, abs=1e-5)
    assert row.accuracy.high == pytest.approx(0.95441, abs=1e-5)
    assert row.cost == pytest.approx(0.06)
    assert row.utility.mean == pytest.approx(0.69)
    assert row.utility.low < 0.69 < row.utility.high
    assert (row.lmc, row.tokens) == (2.25, 110.0)
    assert (row.is_fixed, row.is_ceiling, row.fire_share, row.confidence) == (
        False,
        False,
        None,
        None,
    )


def test_regret_is_what_the_oracle_of_the_price_has_more() -> None:
    cells = [
        sweep.cell("single", 0.1, "1010", ["retrieve"]),
        sweep.cell("single", 0.2, "1010", ["retrieve"]),
        sweep.cell("oracle", 0.1, "1110", [["retrieve"], ["retrieve"], ["retrieve"], []]),
    ]

    cheap, dear, oracle = rows(*cells)

    assert cheap.regret is not None
    assert cheap.regret.mean == pytest.approx(0.275)
    assert dear.regret is None
    assert (oracle.is_ceiling, oracle.regret and oracle.regret.high) == (True, 0.0)


@pytest.mark.parametrize(
    ("n_fired", "is_degenerate"), [(0, True), (1, True), (2, False), (198, False), (199, True)]
)
def test_gate_that_hardly_decides_is_degenerate(n_fired: int, is_degenerate: bool) -> None:
    actions = [["retrieve"]] * n_fired + [[]] * (200 - n_fired)

    [row] = rows(sweep.cell("entropy_gate", 0.1, "1" * 200, actions))

    assert row.fire_share == n_fired / 200
    assert row.is_degenerate == is_degenerate


def test_strategy_that_is_no_gate_is_never_degenerate() -> None:
    [row] = rows(sweep.cell("argo", 0.1, "1111"))

    assert (row.fire_share, row.is_degenerate) == (None, False)


def test_confidence_is_judged_where_every_answer_has_one() -> None:
    known = sweep.cell("max_prob_gate", 0.1, "1100", confidence=[0.9, 0.8, 0.3, 0.2])
    partly = sweep.cell("max_prob_gate", 0.2, "1100", confidence=[0.9, None, 0.3, 0.2])

    first, second = rows(known, partly)

    assert first.confidence is not None
    assert (first.confidence.roc_auc, first.confidence.n) == (1.0, 4)
    assert first.confidence.brier == pytest.approx(0.045)
    assert second.confidence is None


def test_abstentions_have_no_confidence_to_judge() -> None:
    reasons = ["policy", "policy", "abstain", "policy"]
    some = sweep.cell("graded", 0.1, "1100", confidence=[0.9, 0.8, 0.3, 0.2], stop_reason=reasons)
    none = sweep.cell("graded", 0.2, "0000", confidence=[0.1] * 4, stop_reason=["abstain"] * 4)

    first, second = rows(some, none)

    assert first.confidence is not None
    assert (first.confidence.n, first.abstained) == (3, 0.25)
    assert (second.confidence, second.abstained) == (None, 1.0)


def test_oracle_has_no_confidence_of_its_own() -> None:
    [row] = rows(sweep.cell("oracle", 0.1, "10", confidence=[0.5, 0.5]))

    assert row.confidence is None


def test_row_of_a_sweep_that_knew_no_looks() -> None:
    cell = sweep.cell("argo", 0.1, "10")
    unknown = ("probe_calls", "sample_calls", "stop_abstain")
    older = {name: value for name, value in cell.metrics.items() if name not in unknown}

    [row] = rows(cell.model_copy(update={"metrics": older}))

    assert (row.probe_calls, row.sample_calls, row.abstained) == (0.0, 0.0, 0.0)


def test_mean_utility_is_the_plain_mean_over_the_prices() -> None:
    cells = [
        sweep.cell("single", 0.1, "1111", ["retrieve"]),
        sweep.cell("single", 0.2, "1111", ["retrieve"]),
        sweep.cell("single", 0.5, "0000", ["retrieve"]),
    ]

    found = mean_utilities(judge_cells(sweep.results(*cells)))

    assert found == {"single": pytest.approx((0.9 + 0.8 - 0.5) / 3)}


def test_best_fixed_strategy_is_found_by_price() -> None:
    cells = [
        sweep.cell("never", 0.1, "1000"),
        sweep.cell("never", 0.6, "1000"),
        sweep.cell("single", 0.1, "1110", ["retrieve"]),
        sweep.cell("single", 0.6, "1110", ["retrieve"]),
        sweep.cell("argo", 0.1, "1111"),
        sweep.cell("oracle", 0.1, "1111"),
    ]

    found = best_fixed(judge_cells(sweep.results(*cells)))

    assert {price: one.strategy for price, one in found.items()} == {0.1: "single", 0.6: "never"}


@pytest.mark.parametrize("order", [("never", "single"), ("single", "never")])
def test_of_fixed_strategies_that_are_equal_but_for_rounding_the_first_is_the_best(
    order: tuple[str, str],
) -> None:
    cells: list[CellResult] = []
    for n_corrected in range(1, 31):
        made = {
            "never": sweep.cell("never", n_corrected / 100, "01" * 20 + "0" * 60),
            "single": sweep.cell(
                "single",
                n_corrected / 100,
                "01" * 20 + "0" * (60 - n_corrected) + "1" * n_corrected,
                ["retrieve"],
            ),
        }
        cells += [made[name] for name in order]
    judged = judge_cells(sweep.results(*cells))

    assert {one.strategy for one in best_fixed(judged).values()} == {order[0]}
    assert {row.strategy for row in _evaluation(judged).best_fixed().values()} == {order[0]}
    for price, own in best_fixed(judged).items():
        utilities = {cell.strategy: cell.utility.values for cell in judged if cell.price == price}
        assert best(utilities) == own.strategy


def _evaluation(cells: Sequence[JudgedCell]) -> Evaluation:
    prices = tuple(dict.fromkeys(cell.price for cell in cells))
    return synthetic_evaluation.minimal().model_copy(
        update={"rows": strategy_rows(cells), "prices": prices}
    )


def test_cells_with_other_questions_cannot_be_judged() -> None:
    first, second = sweep.cell("argo", 0.1, "10"), sweep.cell("never", 0.1, "101")

    with pytest.raises(ValueError, match=r"never c_r=0.1: has other questions than argo c_r=0.1"):
        judge_cells(sweep.results(first, second))
