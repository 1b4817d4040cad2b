"""Decisions in columns are those made question by question, and so are the rows of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from builders.recorded_outcomes import choice_line, open_line

from argo_ml.config import ReplaySpec
from argo_ml.pricing import MoneyPrices, Tariff
from argo_ml.replay.at_once import AtOnce, decide_questions
from argo_ml.replay.charging import Charges
from argo_ml.replay.decision_columns import DecisionColumns, decision_labels, root_expectations
from argo_ml.replay.replaying import Replay, replay
from argo_ml.replay.row_tables import RowTables
from argo_ml.replay.rows import ReplayDecision, question_row
from argo_ml.results.row_files import RowKeeper, rows_schema
from argo_ml.types import Expectation, Prices

MakeSpec = Callable[..., ReplaySpec]
CHARGES = Charges(Prices(0.1, 0.02))
IN_MONEY = Charges(Prices(0.1, 0.02), Tariff(MoneyPrices(value_of_correct=2.0), 0.1))
ONCE_EACH = (
    ReplayDecision("none"),
    ReplayDecision("retrieve", Expectation(score=0.5)),
    ReplayDecision("none", Expectation(0.123456, 0.0, 0.25), has_probed_answer=True),
    ReplayDecision("retrieve", Expectation(0.75, 0.1, 0.5), has_probed_answer=True),
    ReplayDecision("none", Expectation(0.2), has_probed_answer=True, abstains=True),
    ReplayDecision("retrieve_1", has_probed_answer=True),
)


def replayed(make_spec: MakeSpec, policies: str) -> Replay:
    lines = [make(number) for make in (open_line, choice_line) for number in range(12)]
    chosen = {"policies": policies, "retrieval_costs": "0.02,0.4"}
    return replay(make_spec(lines[1::2], lines[::2], **chosen))


@pytest.mark.slow
@pytest.mark.parametrize("charges", [CHARGES, IN_MONEY], ids=["shares", "money"])
@pytest.mark.parametrize("name", ["never", "single", "oracle", "margin_gate", "variance_gate"])
def test_columns_are_what_is_decided_question_by_question(
    make_spec: MakeSpec, name: str, charges: Charges
) -> None:
    own = replayed(make_spec, name)

    for cell in own.cells:
        columns = AtOnce(own.tested, 0).decisions(name, cell.policy, charges, 1.0)
        assert list(columns) == list(decide_questions(cell.policy, own.tested, 0, charges))


@pytest.mark.slow
def test_rows_made_as_columns_are_those_made_one_by_one(make_spec: MakeSpec) -> None:
    tested = replayed(make_spec, "never").tested[: len(ONCE_EACH)]

    table = RowTables(tested).cell(DecisionColumns.of(ONCE_EACH), CHARGES.expected)

    rows = [question_row(own.recorded, made) for own, made in zip(tested, ONCE_EACH, strict=True)]
    priced = [row.model_copy(update={"cost": 0.1 * len(row.actions)}) for row in rows]
    assert table.schema == rows_schema()
    assert list(RowKeeper(100_000).keep_table(table)) == priced


def test_columns_give_back_the_decisions_that_they_are_made_of() -> None:
    columns = DecisionColumns.of(ONCE_EACH)

    assert list(columns) == list(ONCE_EACH)
    assert columns[1:3] == ONCE_EACH[1:3]
    assert columns.plans == {"none", "retrieve", "retrieve_1"}
    assert decision_labels(columns) == decision_labels(ONCE_EACH)
    assert list(root_expectations(columns)) == list(root_expectations(ONCE_EACH))
