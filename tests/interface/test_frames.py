"""Results as tables: in shares of a right answer, and in a unit of the user's own."""

from __future__ import annotations

import pytest
from builders import result_builders

from argo_ml.config import SweepSpec
from argo_ml.evaluation.protocol import evaluate
from argo_ml.interface.frames import cell_frame, question_frame
from argo_ml.interface.returned import SweepResult

SHARES = result_builders.results(
    SweepSpec(n_questions=4, retrieval_costs="0.02,0.2", strategies="never,single")
)
TOKENS = result_builders.in_tokens(SHARES)
"""A right answer is worth 2,000."""


def test_prices_in_shares_have_no_other_columns() -> None:
    assert {"price", "worth"}.isdisjoint(cell_frame(SHARES).columns)
    assert {"price", "worth"}.isdisjoint(question_frame(SHARES).columns)


def test_prices_in_ones_own_unit_have_columns_with_what_the_utility_is_worth() -> None:
    cells, questions = cell_frame(TOKENS), question_frame(TOKENS)
    assert list(cells.columns[:3]) == ["strategy", "retrieval_cost", "price"]
    assert cells.price.tolist() == [40.0, 400.0] * 2
    assert cells.worth.tolist() == pytest.approx([2000 * utility for utility in cells.utility])
    means = questions.groupby(["strategy", "price"]).worth.mean()
    assert means["single", 40.0] == pytest.approx(cells.worth[2])


def test_a_notebook_shows_what_1000_questions_come_to() -> None:
    shown = SweepResult(TOKENS, evaluate(TOKENS))._repr_html_()
    assert "<th>tokens per 1,000 questions</th>" in shown
    assert "per 1,000 questions" not in SweepResult(SHARES, evaluate(SHARES))._repr_html_()
