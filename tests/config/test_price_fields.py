"""Prices in the user's own unit: from options and files, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from argo_ml.config import AdviseSpec, CellSpec, ReplaySpec, SweepSpec, build
from argo_ml.errors import ConfigError

WORTH = {"value_of_correct": "4", "price_of_wrong": "1", "price_unit": "EUR"}


def test_prices_of_a_retrieval_become_shares_of_what_is_at_stake() -> None:
    spec = build(SweepSpec, {**WORTH, "price_per_retrieval": "0.5,0,0.25"})

    assert spec.prices == (0.0, 0.05, 0.1)
    assert [cell.retrieval_cost for cell in spec.cells()[:3]] == [0.0, 0.05, 0.1]
    assert spec.cells()[0].money == spec.money


def test_without_a_worth_prices_are_what_they_always_were() -> None:
    spec = build(SweepSpec, {})

    assert spec.money is None
    assert spec.prices == (0.02, 0.065, 0.11, 0.155, 0.2)


def test_a_file_gives_prices_and_options_come_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("value_of_correct: 2\nprice_per_retrieval: [0.1, 0.2]\nprice_unit: EUR\n")

    spec = build(SweepSpec, {"prices_file": str(path), "price_unit": "USD"})

    assert spec.money is not None
    assert (spec.money.value_of_correct, spec.money.unit) == (2.0, "USD")
    assert (spec.prices, spec.prices_file) == ((0.05, 0.1), "")


def test_a_file_may_give_one_price_of_a_retrieval(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("value_of_correct: 2\nprice_per_retrieval: 0.02\n")

    assert build(SweepSpec, {"prices_file": str(path)}).price_per_retrieval == (0.02,)


def test_prices_of_a_file_that_a_command_has_none_of_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("value_of_correct: 2\nprice_per_retrieval: [0.1, 0.2]\n")

    with caplog.at_level(logging.INFO):
        spec = build(CellSpec, {"prices_file": str(path), "retrieval_cost": "0.02"})

    assert spec.money is not None
    assert "left out, as this command has none: price_per_retrieval" in caplog.text


def test_a_name_in_a_file_that_is_no_price_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("value_of_correct: 2\nseed: 3\n")

    with pytest.raises(ConfigError, match="seed is no price; known: value_of_correct, "):
        build(CellSpec, {"prices_file": str(path)})


def test_an_advice_looks_around_a_single_price() -> None:
    spec = build(AdviseSpec, {**WORTH, "price_per_retrieval": "0.3"})

    sweep = spec.sweep("tune", 20, ("never", "single"), "")

    assert sweep.prices == (0.02, 0.05, 0.06, 0.1, 0.2, 0.4)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"price_per_second": "0.1"}, "price_per_second=0.1 is in your own unit: give value_of"),
        ({"price_per_retrieval": "0.1"}, "price_per_retrieval=0.1 is in your own unit"),
        ({**WORTH}, "value_of_correct=4 needs price_per_retrieval"),
        ({**WORTH, "price_per_retrieval": "-1"}, "price_per_retrieval=-1: input should be greater"),
        (
            {**WORTH, "price_per_retrieval": "1", "price_per_second": "-2"},
            "price_per_second=-2: input should be greater than or equal to 0",
        ),
        (
            {**WORTH, "price_per_retrieval": "1", "retrieval_costs": "0.1,0.3"},
            "retrieval_costs=0.1,0.3 is in shares of a right answer and value_of_correct=4 in your",
        ),
        ({**WORTH, "price_per_retrieval": "1", "mu": "2"}, "mu=2 is in shares"),
        ({**WORTH, "price_per_retrieval": "1,1"}, "price_per_retrieval=1,1 repeats a value"),
    ],
)
@pytest.mark.parametrize("spec_type", [SweepSpec, ReplaySpec])
def test_prices_that_do_not_go_together_are_named(
    spec_type: type[SweepSpec], values: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        build(spec_type, values)


def test_costs_without_a_bound_can_stop_a_sweep_early_and_the_test_of_an_advice() -> None:
    prices = {**WORTH, "price_per_retrieval": "1", "price_per_second": "0.1"}
    assert build(SweepSpec, {**prices, "until": "decided"}).until == "decided"
    advice = build(AdviseSpec, {**prices, "until": "decided"})
    assert advice.sweep("test", 10, ("never", "single"), "").until == "decided"


def test_a_cell_without_a_worth_needs_a_price() -> None:
    with pytest.raises(ConfigError, match="retrieval_cost=0: must be greater than 0"):
        build(CellSpec, {"retrieval_cost": "0"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "value_of_correct: 2\nprice_per_retreival: 1\n",
            r"prices_file=.*: price_per_retreival is no price",
        ),
        ("- 2\n", r"prices_file=.*: must hold parameter: value pairs"),
        ("value_of_correct: -2\nprice_per_retrieval: 1\n", "value_of_correct=-2: input should be"),
    ],
)
def test_a_file_that_holds_no_prices_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"^{complaint}"):
        build(SweepSpec, {"prices_file": str(path)})


def test_a_file_that_is_not_there_is_named_by_its_own_parameter() -> None:
    with pytest.raises(
        ConfigError, match=r"^prices_file=price\.yaml: cannot be read \(No such file"
    ):
        build(SweepSpec, {"prices_file": "price.yaml"})
