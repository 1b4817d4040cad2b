"""The report's key numbers, which say what the headline says."""

from __future__ import annotations

import re

import pytest
from builders import hand_made_sweep as sweep

from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.content import Content, content
from argo_ml.results.records import Results

RETRIEVE = ["retrieve"]


@pytest.fixture(scope="module")
def results() -> Results:
    """Two strategies decide by the question; the better one gains at 0.1 and loses at 0.5."""
    return sweep.results(
        *[
            cell
            for price, better in ((0.1, "1" * 90 + "0" * 10), (0.3, "1" * 75 + "0" * 25))
            for cell in (
                sweep.cell("never", price, "1" * 50 + "0" * 50),
                sweep.cell("single", price, "1" * 15 + "0" * 20 + "1" * 65, RETRIEVE),
                sweep.cell("argo_fitted", price, "10" * 50),
                sweep.cell("argo_advantage", price, better),
            )
        ],
        *[
            sweep.cell(name, 0.5, correct)
            for name, correct in (("never", "1" * 50 + "0" * 50), ("argo_fitted", "10" * 50))
        ],
        sweep.cell("single", 0.5, "1" * 15 + "0" * 20 + "1" * 65, RETRIEVE),
        sweep.cell("argo_advantage", 0.5, "0" * 60 + "1" * 40),
    )


@pytest.fixture(scope="module")
def evaluation(results: Results) -> Evaluation:
    return evaluate(results)


@pytest.fixture(scope="module")
def shown(evaluation: Evaluation, results: Results) -> Content:
    return content(evaluation, results)


def value(shown: Content, meaning: str) -> str:
    [found] = [own.value for own in shown.key_numbers if meaning in own.meaning]
    return found


def test_the_key_number_is_the_gain_that_the_headline_tells(
    shown: Content, evaluation: Evaluation
) -> None:
    headline = evaluation.headline
    assert headline is not None and headline.strategy == "argo_advantage"

    gain = value(shown, "mean utility of argo_advantage minus that of the best fixed strategy")

    told = re.search(
        r"minus that of the best fixed strategy is (\S+) on average", evaluation.answer
    )
    assert told is not None and gain.split()[0] == told[1] == f"{headline.gain.mean:+.3f}"
    low, high = f"{headline.gain.low:+.3f}", f"{headline.gain.high:+.3f}"
    assert gain == f"{told[1]} [{low}, {high}]"


def test_the_two_mean_utilities_differ_by_the_gain(shown: Content, evaluation: Evaluation) -> None:
    own = float(value(shown, "mean utility of argo_advantage over the prices"))
    fixed = float(value(shown, "mean utility of the best fixed strategy of each price"))

    assert evaluation.headline is not None
    assert own - fixed == pytest.approx(evaluation.headline.gain.mean, abs=0.0011)


def test_the_break_even_price_is_that_of_the_headline(
    shown: Content, evaluation: Evaluation
) -> None:
    price = value(shown, "break-even price of a retrieval")

    assert f"(never): {price} per retrieval" in evaluation.answer


def test_best_prices_are_counted_of_the_tables_beside(shown: Content) -> None:
    [overall] = [own for own in shown.overall if own.strategy == "argo_advantage"]

    marked = [
        row.marks
        for rows in shown.by_price.values()
        for row in rows
        if row.row.strategy == "argo_advantage"
    ]
    assert overall.n_best == sum("best" in marks for marks in marked) == 2
