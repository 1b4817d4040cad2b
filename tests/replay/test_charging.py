"""What replayed decisions cost in the user's own unit, by what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.recorded_outcomes import choice_line

from argo_ml.config import ReplaySpec, build
from argo_ml.errors import DataError
from argo_ml.replay.charging import Charging, check_usage_recorded, measure_recorded_usage
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.rows import ReplayDecision, question_row

USED = {
    "none": {"prompt_tokens": 100, "completion_tokens": 10, "seconds": 1.0},
    "retrieve": {"prompt_tokens": 700, "completion_tokens": 30, "seconds": 3.0},
}


@pytest.fixture
def questions(tmp_path: Path) -> tuple[RecordedQuestion, ...]:
    lines = [choice_line(number) for number in range(3)]
    for line in lines:
        for plan, outcome in line["outcomes"].items():
            outcome.update(USED[plan])
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return tuple(read_outcomes(path, "outcomes", "auto"))


@pytest.fixture
def spec() -> ReplaySpec:
    values = {"value_of_correct": "2", "price_per_retrieval": "0.1", "price_per_second": "0.05"}
    return build(ReplaySpec, {**values, "price_per_1m_prompt_tokens": "100", "outcomes": "o.jsonl"})


def test_an_action_used_what_the_answer_after_it_took_more(
    questions: tuple[RecordedQuestion, ...],
) -> None:
    measured = measure_recorded_usage(questions)

    retrieve, look = measured["retrieve"], measured["probe"]
    assert (retrieve.prompt_tokens, retrieve.completion_tokens, retrieve.seconds) == (600, 20, 2.0)
    assert (look.prompt_tokens, look.seconds, look.n) == (100, 1.0, 3)


def test_policies_expect_what_was_measured(
    questions: tuple[RecordedQuestion, ...], spec: ReplaySpec
) -> None:
    expected = Charging.of(spec, questions).at(0.05).expected

    assert expected.retrieve == pytest.approx(0.05 + (600 * 100 / 1e6 + 2.0 * 0.05) / 2)
    assert expected.probe == pytest.approx((100 * 100 / 1e6 + 1.0 * 0.05) / 2)


def test_nothing_is_recorded_as_well(
    tmp_path: Path, spec: ReplaySpec, questions: tuple[RecordedQuestion, ...]
) -> None:
    line = choice_line(0)
    for outcome in line["outcomes"].values():
        outcome.update(USED["none"], seconds=0.0)
    path = tmp_path / "cached.jsonl"
    path.write_text(json.dumps(line))
    check_usage_recorded(spec.money, read_outcomes(path, "outcomes", "auto"))
    del line["outcomes"]["retrieve"]["seconds"]
    path.write_text(json.dumps(line))
    with pytest.raises(DataError, match=r"outcomes.retrieve.seconds is missing, which has a price"):
        check_usage_recorded(spec.money, read_outcomes(path, "outcomes", "auto"))


@pytest.mark.parametrize(
    ("decision", "seconds", "tokens", "n_retrievals"),
    [
        (ReplayDecision("none"), 1.0, 100, 0),
        (ReplayDecision("retrieve"), 3.0, 700, 1),
        (ReplayDecision("none", has_probed_answer=True), 1.0, 100, 0),
        (ReplayDecision("retrieve", has_probed_answer=True), 4.0, 800, 1),
    ],
)
def test_a_look_that_is_not_the_answer_is_paid_for(
    questions: tuple[RecordedQuestion, ...],
    spec: ReplaySpec,
    decision: ReplayDecision,
    seconds: float,
    tokens: int,
    n_retrievals: int,
) -> None:
    charges = Charging.of(spec, questions).at(0.05)

    cost = charges.of(questions[0], decision, question_row(questions[0], decision))

    paid = n_retrievals * 0.1 + tokens * 100 / 1e6 + seconds * 0.05
    assert cost == pytest.approx(paid / 2)
