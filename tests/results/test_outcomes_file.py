"""What sweeps and calibrations write of outcomes, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import result_builders

from argo_ml.config import CellSpec, build
from argo_ml.replay.reading import read_outcomes
from argo_ml.results.outcomes_file import sweep_lines, write_lines
from argo_ml.results.records import DecisionResult, QuestionResult
from argo_ml.results.shard import ShardRecord
from argo_ml.types import Answer

PRICES = {"retrieve": 0.1, "reason": 0.02}
SCORES = [-0.5, -1.5]


def trajectory(answer: str, n_retrievals: int = 0, **changes: Any) -> dict[str, Any]:
    steps = [{"action": "retrieve"} for _ in range(n_retrievals)]
    base = {
        "question_id": "q1",
        "question": "Which is it?",
        "choices": [],
        "gold": ["blue"],
        "steps": steps,
        "stop_reason": "policy",
        "answer": answer,
        "choice": None,
        "parsed": True,
        "scores": [],
    }
    return {**base, **changes}


def row(line: Mapping[str, Any], correct: bool, **changes: Any) -> QuestionResult:
    actions = [step["action"] for step in line["steps"]]
    values = {"answer": line["answer"], "choice": line["choice"], "correct": correct, **changes}
    return result_builders.row("q1", actions, PRICES, **values)


def written(
    folder: Path, episodes: Sequence[tuple[str, dict[str, Any], bool]], **fields: Any
) -> list[dict[str, Any]]:
    """``episodes`` are (strategy, line, correct); ``fields`` change the rows of all."""
    cells, results, lines = {}, {}, {}
    for index, (strategy, line, correct) in enumerate(episodes):
        given = {"strategy": "never", "split": "tune", "top_k": fields.pop("top_k", 3)}
        cells[str(index)] = build(CellSpec, given).model_copy(update={"strategy": strategy})
        lines[str(index)] = [line]
        results[str(index)] = [row(line, correct, **fields)]
    found = list(sweep_lines(ShardRecord(results, lines, {}), cells))
    write_lines(folder / "outcomes.jsonl", found)
    return found


NEVER, SINGLE = ("never", trajectory("red"), False), ("single", trajectory("blue", 1), True)


def test_answers_of_the_plain_strategies_are_read_back(tmp_path: Path) -> None:
    written(tmp_path, [NEVER, SINGLE])
    [found] = read_outcomes(tmp_path / "outcomes.jsonl", "outcomes")
    assert (found.id, found.question.text, found.question.answers) == (
        "q1",
        "Which is it?",
        ("blue",),
    )
    assert {plan: (o.answer.text, o.correct) for plan, o in found.outcomes.items()} == {
        "none": ("red", False),
        "retrieve": ("blue", True),
    }
    assert found.split == "tune"


def test_choices_are_read_back_with_their_probabilities(tmp_path: Path) -> None:
    choices = {"choices": ["red", "blue"], "gold": [1], "scores": SCORES}
    never = trajectory("red", choice=0, **choices)
    single = trajectory("blue", 1, choice=1, **choices)
    written(tmp_path, [("never", never, False), ("single", single, True)], difficulty="easy")
    [found] = read_outcomes(tmp_path / "outcomes.jsonl", "outcomes")
    assert found.outcomes["none"].answer == Answer("red", 0)
    assert found.probabilities == pytest.approx((0.731, 0.269), abs=1e-3)
    assert found.question.gold == (1,)
    assert found.question.difficulty is not None


def test_what_any_policy_saw_first_is_told(tmp_path: Path) -> None:
    answer, draft = {"logprob": -1.0, "entropy": 0.5, "margin": 0.2, "n_tokens": 3}, {"n_tokens": 0}
    looked = trajectory("red", seen={"answer": answer})
    drawn = trajectory("red", seen={"draft": draft, "samples": ["a", "b", "b"]})
    written(tmp_path, [NEVER, SINGLE, ("benefit_gate", looked, False), ("flare", drawn, False)])
    [found] = read_outcomes(tmp_path / "outcomes.jsonl", "outcomes")
    assert found.signals.recorded == answer
    assert found.draft.recorded == draft
    assert found.samples == ("a", "b", "b")


@pytest.mark.parametrize(
    ("strategy", "expected"), [("graded", 0.3), ("argo_fitted", 0.3), ("tasr", None)]
)
def test_confidence_is_that_of_strategies_that_have_p_hat(
    tmp_path: Path, strategy: str, expected: float | None
) -> None:
    decisions = (DecisionResult(action="stop", confidence=0.3),)
    episodes = [NEVER, SINGLE, (strategy, trajectory("red"), False)]
    [line] = written(tmp_path, episodes, decisions=decisions)
    assert line["outcomes"]["none"].get("confidence") == expected


def test_retrievals_of_other_sizes_are_outcomes_of_their_own(tmp_path: Path) -> None:
    def sized(size: int, **changes: Any) -> dict[str, Any]:
        steps = [{"action": "retrieve", "top_k": size}]
        return trajectory(f"of {size}", steps=steps, **changes)

    abstained = sized(5, stop_reason="abstain")
    episodes = [("graded", sized(1), True), ("graded", abstained, False)]
    [line] = written(tmp_path, [NEVER, SINGLE, *episodes])
    assert line["outcomes"]["retrieve_1"] == {"answer": "of 1", "correct": True}
    assert "retrieve_5" not in line["outcomes"]


def test_one_of_the_usual_size_is_of_that_size_as_well(tmp_path: Path) -> None:
    [line] = written(tmp_path, [NEVER, SINGLE], top_k=5)
    assert line["outcomes"]["retrieve_5"] == line["outcomes"]["retrieve"]


def test_without_both_plain_strategies_nothing_is_written(tmp_path: Path) -> None:
    assert written(tmp_path, [NEVER, ("argo", trajectory("blue", 1), True)]) == []
    assert list(tmp_path.iterdir()) == []
