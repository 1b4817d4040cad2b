from __future__ import annotations

import math

import pytest
from builders.result_builders import policy_table, results, row

from argo_ml.config import CellSpec, SweepSpec
from argo_ml.results import metrics
from argo_ml.results.metrics import (
    ALL_METRICS,
    by_price,
    cell_metrics,
    price_steps,
    sweep_metrics,
    utilities,
)
from argo_ml.results.records import PolicyTable, QuestionResult, Results

PRICES = {"retrieve": 0.1, "reason": 0.02}


@pytest.fixture(scope="module")
def table() -> PolicyTable:
    return policy_table(CellSpec(retrieval_cost=0.1))


def test_metrics_of_two_questions(table: PolicyTable) -> None:
    rows = [
        row("a", ["retrieve", "reason"], PRICES, correct=True, lm_calls_paid=3),
        row("b", ["retrieve"], PRICES, correct=False, parsed=False, stop_reason="limit"),
    ]

    found = cell_metrics(rows, 2.0, table)

    assert found["accuracy"] == 0.5
    assert found["retrieval_calls"] == 1.0
    assert found["reason_calls"] == 0.5
    assert found["steps"] == 1.5
    assert found["cost"] == pytest.approx((0.12 + 0.1) / 2)
    assert found["utility"] == pytest.approx(0.5 - 2.0 * 0.11)
    assert found["accuracy_per_cost"] == pytest.approx(0.5 / 0.11)
    assert found["retrieval_success_rate"] == 1.0
    assert found["lm_calls"] == 3.0
    assert found["lm_calls_total"] == 6.0
    assert found["lm_calls_paid_total"] == 4.0
    assert found["unparsed"] == 0.5
    assert (found["stop_threshold"], found["stop_policy"], found["stop_limit"]) == (0.5, 0.0, 0.5)
    assert found["policy_value"] == table.policy_value


@pytest.mark.parametrize("undefined", [math.nan, math.inf, None])
def test_a_metric_that_is_no_number_for_a_question_is_left_out(
    undefined: float | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    brought = {
        "is_right": lambda row: row.correct,
        "undefined": lambda row: 1.0 if row.actions else undefined,
    }
    monkeypatch.setattr(ALL_METRICS, "_added", brought)
    metrics._warn_of_no_number.cache_clear()

    made = results(SweepSpec(n_questions=3, strategies="never,single", n_prices=1))

    never, single = made.cells
    assert "undefined" not in never.metrics
    assert single.metrics["undefined"] == 1.0
    assert never.metrics["is_right"] == never.metrics["accuracy"]
    assert Results.model_validate_json(made.model_dump_json()) == made
    [warning] = caplog.messages
    assert "metric 'undefined' is no finite number" in warning


def test_a_metric_that_was_stored_as_null_is_left_out() -> None:
    made = results(SweepSpec(n_questions=3, strategies="never", n_prices=1))
    stored = made.model_dump_json().replace('"metrics":{', '"metrics":{"mine":null,')

    assert Results.model_validate_json(stored) == made


def test_calls_are_the_sum_of_their_parts(table: PolicyTable) -> None:
    rows = [row("a", ["retrieve", "reason", "reason"], PRICES), row("b", [], PRICES)]

    found = cell_metrics(rows, 1.0, table)

    parts = ("decomposer_calls", "reader_calls", "reasoner_calls", "synthesizer_calls")
    assert found["lm_calls"] == pytest.approx(sum(found[part] for part in parts))
    assert [each.usage.calls for each in rows] == [6, 1]


def test_failed_retrievals_count_as_calls_but_not_as_successes(table: PolicyTable) -> None:
    rows = [row("a", ["retrieve"] * 4, PRICES, retrieval_successes=1)]

    found = cell_metrics(rows, 1.0, table)

    assert found["retrieval_calls"] == 4.0
    assert found["retrieval_success_rate"] == 0.25


def test_rates_that_nothing_can_be_said_about_are_absent(table: PolicyTable) -> None:
    found = cell_metrics([row("a", [], PRICES)], 1.0, table)

    assert "retrieval_success_rate" not in found
    assert "accuracy_per_cost" not in found


def test_accuracy_per_cost_is_absent_where_withholding_answers_saved_more_than_was_spent(
    table: PolicyTable,
) -> None:
    rows = [row("a", [], PRICES, cost=-0.5), row("b", [], PRICES, cost=0.1)]

    assert "accuracy_per_cost" not in cell_metrics(rows, 1.0, table)


def test_means_of_fallbacks_repetitions_and_unanswered(table: PolicyTable) -> None:
    rows = [
        row("a", ["retrieve"] * 4, PRICES, decomposer_fallbacks=3, repeated_retrievals=3),
        row("b", [], PRICES, correct=False, unanswered="a prompt is too long"),
    ]

    found = cell_metrics(rows, 1.0, table)

    assert found["decomposer_fallbacks"] == 1.5
    assert found["repeated_retrievals"] == 1.5
    assert found["unanswered"] == 0.5


def test_row_of_an_earlier_version_is_read() -> None:
    stored = row("a", [], PRICES, decomposer_fallbacks=2).model_dump()
    stored["fallbacks"] = stored.pop("decomposer_fallbacks")
    del stored["repeated_retrievals"], stored["unanswered"]

    read = QuestionResult(**stored)

    assert (read.decomposer_fallbacks, read.repeated_retrievals, read.unanswered) == (2, 0, "")


def test_cell_without_questions_is_an_error(table: PolicyTable) -> None:
    with pytest.raises(ValueError, match="without questions"):
        cell_metrics([], 1.0, table)


def test_utility_of_a_cell_is_the_mean_over_its_questions() -> None:
    found = results(SweepSpec(n_questions=7, retrieval_costs="0.05"))

    for cell in found.cells:
        assert sum(utilities(cell, 1.0)) / 7 == pytest.approx(cell.metrics["utility"])


def test_metrics_of_a_sweep() -> None:
    found = results(SweepSpec(n_questions=3, strategies="argo,random", retrieval_costs="0.02,0.2"))

    metrics = sweep_metrics(found)

    low, high = found.row("argo")
    assert metrics["n_cells"] == 4.0
    assert metrics["n_questions"] == 3.0
    assert metrics["floor_majority_position"] == 0.3
    assert metrics["lm_calls_paid_total"] == 12.0
    assert metrics["cache_hit_rate"] == pytest.approx(1 - 12 / metrics["lm_calls_total"])
    assert metrics["mean_accuracy_argo"] == pytest.approx(
        (low.metrics["accuracy"] + high.metrics["accuracy"]) / 2
    )
    assert metrics["best_utility_argo"] == max(low.metrics["utility"], high.metrics["utility"])


def test_strategies_have_curves_over_the_price_in_thousandths() -> None:
    swept = results(SweepSpec(n_questions=3, strategies="argo,random", retrieval_costs="0.02,0.2"))

    points = by_price(swept)

    assert list(points) == [round(price * 1000) for price in swept.prices]
    first = points[round(swept.prices[0] * 1000)]
    assert first["utility_by_price/argo"] == swept.row("argo")[0].metrics["utility"]


@pytest.mark.parametrize(
    ("prices", "steps"),
    [
        ((0.0, 0.02, 0.11), [0, 20, 110]),
        ((0.0005, 0.02), [500, 20_000]),
        ((0.1 + 0.2,), [300]),
    ],
)
def test_steps_are_as_fine_as_the_digits_of_the_prices(
    prices: tuple[float, ...], steps: list[int]
) -> None:
    assert list(price_steps(prices).values()) == steps
