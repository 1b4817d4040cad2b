from __future__ import annotations

import numpy as np
import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.contrasts import contrasts
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.record import Contrast
from argo_ml.results.records import CellResult
from argo_ml.statistics.resampling import mean_estimate, resample


def found(*cells: CellResult) -> tuple[Contrast, ...]:
    return contrasts(judge_cells(sweep.results(*cells)))


def test_contrast_is_with_the_best_fixed_strategy_of_the_price() -> None:
    [contrast] = found(
        sweep.cell("never", 0.1, "1000000000"),
        sweep.cell("single", 0.1, "1111100000", ["retrieve"]),
        sweep.cell("argo", 0.1, "1111111110", ["retrieve"]),
        sweep.cell("oracle", 0.1, "1111111111"),
    )

    assert (contrast.strategy, contrast.baseline) == ("argo", "single")
    assert contrast.utility.mean == pytest.approx(0.4)
    assert contrast.p_accuracy == pytest.approx(0.125)
    differences = [0.0] * 5 + [1.0] * 4 + [0.0]
    [column] = resample([np.array(differences)])
    assert contrast.p_utility == column.p_value
    wanted = mean_estimate(differences)
    interval = contrast.utility.low, contrast.utility.high
    assert interval == pytest.approx((wanted.low, wanted.high))
    assert contrast.is_identical is False


def test_random_is_neither_fixed_nor_left_out() -> None:
    assert [one.strategy for one in found(sweep.cell("never", 0.1, "10"))] == []
    cells = sweep.cell("random", 0.1, "10"), sweep.cell("never", 0.1, "10")

    assert [one.strategy for one in found(*cells)] == ["random"]


def test_price_without_a_fixed_strategy_has_no_contrast() -> None:
    cells = sweep.cell("argo", 0.1, "10"), sweep.cell("argo", 0.2, "10")

    assert found(*cells) == ()
    assert [one.retrieval_cost for one in found(*cells, sweep.cell("never", 0.2, "11"))] == [0.2]


def test_holm_adjusts_over_all_contrasts_of_the_sweep() -> None:
    cells = [
        sweep.cell("never", 0.1, "000000000000"),
        sweep.cell("argo", 0.1, "111111000000"),
        sweep.cell("random", 0.1, "111110000000"),
        sweep.cell("argo_optimal", 0.1, "100000000000"),
    ]

    by_name = {one.strategy: one for one in found(*cells)}

    p = {name: one.p_accuracy for name, one in by_name.items()}
    assert p == {"argo": 0.03125, "random": 0.0625, "argo_optimal": 1.0}
    adjusted = {name: one.holm_accuracy for name, one in by_name.items()}
    assert adjusted == {"argo": 0.09375, "random": 0.125, "argo_optimal": 1.0}
    first = by_name["argo"]
    assert first.holm_utility == pytest.approx(3 * first.p_utility)


def test_strategy_that_does_the_same_is_identical() -> None:
    cells = [
        sweep.cell("single", 0.1, "1010", ["retrieve"]),
        sweep.cell("argo", 0.1, "1010", ["retrieve"]),
        sweep.cell("random", 0.1, "1010", ["reason"]),
    ]

    argo, other = found(*cells)

    assert (argo.is_identical, other.is_identical) == (True, False)
    assert argo.changes_nothing
    assert (argo.p_utility, argo.holm_utility, argo.p_accuracy) == (1.0, 1.0, 1.0)
    assert (argo.utility.mean, argo.utility.low, argo.utility.high) == (0.0, 0.0, 0.0)


def test_strategy_that_acts_alike_and_costs_more_is_compared() -> None:
    cells = [
        sweep.cell("never", 0.1, "1010"),
        sweep.cell("entropy_gate", 0.1, "1010", cost=[0.01] * 4),
    ]

    [contrast] = found(*cells)

    assert contrast.is_identical
    assert not contrast.changes_nothing
    assert contrast.utility.mean == pytest.approx(-0.01)


def test_savings_are_relative_to_retrieving_always() -> None:
    cells = [
        sweep.cell("always_retrieve", 0.1, "1100", ["retrieve", "retrieve"]),
        sweep.cell("argo", 0.1, "1100", [["retrieve"], [], ["retrieve"], []]),
        sweep.cell("random", 0.1, "0000", ["retrieve"]),
    ]

    argo, worse = found(*cells)

    assert argo.retrieval_reduction == 0.75
    assert argo.accuracy_against_always_retrieve is not None
    assert argo.accuracy_against_always_retrieve.mean == 0.0
    assert (worse.retrieval_reduction, worse.is_accuracy_matched) == (0.5, False)


def test_accuracy_of_few_questions_is_not_matched_because_none_of_them_was_lost() -> None:
    cells = [
        sweep.cell("always_retrieve", 0.1, "1111100000", ["retrieve", "retrieve"]),
        sweep.cell("argo", 0.1, "1111110000", ["retrieve"]),
    ]
    many = [
        sweep.cell("always_retrieve", 0.1, "10" * 500, ["retrieve", "retrieve"]),
        sweep.cell("argo", 0.1, "10" * 500, ["retrieve"]),
    ]

    assert [one.is_accuracy_matched for one in found(*cells)] == [False]
    assert [one.is_accuracy_matched for one in found(*many)] == [True]


def test_accuracy_that_never_differs_is_matched_only_where_all_is_alike() -> None:
    twice = ["retrieve", "retrieve"]
    cells = [
        sweep.cell("always_retrieve", 0.1, "1100", twice),
        sweep.cell("argo", 0.1, "1100", [twice, [], twice, []]),
        sweep.cell("random", 0.1, "1100", twice),
    ]

    argo, same = found(*cells)

    assert (argo.is_accuracy_matched, same.is_accuracy_matched) == (False, True)


def test_no_savings_without_retrieving_always() -> None:
    [contrast] = found(sweep.cell("never", 0.1, "10"), sweep.cell("argo", 0.1, "10"))

    assert contrast.accuracy_against_always_retrieve is None
    assert contrast.retrieval_reduction is None
    assert contrast.is_accuracy_matched is None
