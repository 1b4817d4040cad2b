from __future__ import annotations

from typing import Any

import pytest
from builders import result_builders

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.evaluation.sentences import stopping_lines
from argo_ml.evaluation.stopping import (
    StoppingRule,
    compared_in,
    number_of_families,
    replayed_stopping,
    stopping_rule,
)


def spec(**values: Any) -> SweepSpec:
    given = {"until": "decided", "strategies": "never,single", "retrieval_costs": "0.02,0.9"}
    return build(SweepSpec, {**given, **values})


def rule_after(asked: SweepSpec, n_questions: int) -> StoppingRule:
    rule = stopping_rule(asked)
    assert rule is not None
    rows = {
        (cell.strategy, cell.retrieval_cost): cell.questions
        for cell in result_builders.results(asked).cells
    }
    for start in range(0, n_questions, 10):
        rule.add({key: own[start : start + 10] for key, own in rows.items()})
    return rule


def test_all_questions_are_asked_where_nothing_else_is_wanted() -> None:
    assert stopping_rule(spec(until="all")) is None


def test_retrieving_once_is_one_difference_at_all_prices() -> None:
    compared = compared_in(spec(retrieval_costs="0.02,0.1,0.2"))

    assert [own.price for own in compared] == [0.02, 0.1, 0.2]
    assert number_of_families(compared) == 1


def test_strategies_that_decide_by_the_question_are_a_difference_at_every_price() -> None:
    compared = compared_in(spec(strategies="never,single,argo_fitted,argo_calibrated"))

    assert {own.strategy for own in compared} == {"argo_fitted", "argo_calibrated"}
    assert {own.baselines for own in compared} == {("never", "single")}
    assert number_of_families(compared) == 4


def test_nothing_to_decide_is_refused_with_what_to_add() -> None:
    with pytest.raises(ConfigError, match=r"strategies=argo,random; add never and single"):
        stopping_rule(spec(strategies="argo,random"))


def test_clear_prices_are_decided_and_the_sentence_says_so() -> None:
    # Answers are right for 35 % without retrieval and for 85 % with one.
    rule = rule_after(spec(n_questions=100), 100)

    assert rule.is_decided
    stopping = rule.record(1000)
    assert [own.sign for own in stopping.verdicts] == ["above", "below"]
    assert stopping.verdicts[0].low > 0 > stopping.verdicts[1].high
    (line,) = stopping_lines(stopping)
    assert line.startswith(
        "Stopped after 100 of 1,000 questions, as all of this is decided: single minus never is "
        "above 0 at c_r = 0.02; single minus never is below 0 at c_r = 0.9."
    )


def test_open_price_is_named() -> None:
    rule = rule_after(spec(n_questions=20, retrieval_costs="0.5"), 20)

    (line,) = stopping_lines(rule.record(20))

    assert line.startswith("All 20 questions were asked, which leaves 1 of 1 comparison open")


def test_stored_stopping_follows_from_the_rows() -> None:
    asked = spec(n_questions=100)
    results = result_builders.results(asked)
    stopping = rule_after(asked, 100).record(1000)

    again = replayed_stopping(asked, results.model_copy(update={"stopping": stopping}))

    assert again is not None
    assert again.n_asked < 100
    assert again.verdicts != stopping.verdicts


def test_where_tokens_are_paid_for_every_price_is_a_difference_of_its_own() -> None:
    compared = compared_in(spec(retrieval_costs="0.02,0.1,0.2"))

    assert number_of_families(compared, costs_vary=True) == 3
