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
from argo_ml.results.text_signals import AFTER_ONE
from argo_ml.types import Answer

PRICES = {"retrieve": 0.1, "reason": 0.02}
SCORES = [-0.5, -1.5]
PASSAGES = {"p1": {"id": "p1", "text": "It is blue.", "title": "", "source": ""}}
FOUND = {
    "action": "retrieve",
    "sub_question": "Which?",
    "sub_answer": "blue",
    "succeeded": True,
    "evidence": [{"passage_id": "p1", "similarity": 0.8}],
}


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
    found = list(sweep_lines(ShardRecord(results, lines, PASSAGES), cells))
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


def test_what_the_retrieval_found_is_told(tmp_path: Path) -> None:
    single = ("single", trajectory("blue", steps=[FOUND]), True)
    [line] = written(tmp_path, [NEVER, single], top_k=5)
    evidence = [{"text": "It is blue.", "similarity": 0.8}]
    assert line["outcomes"]["retrieve"] == {"answer": "blue", "correct": True, "evidence": evidence}
    assert "evidence" not in line["outcomes"]["retrieve_5"]
    [found] = read_outcomes(tmp_path / "outcomes.jsonl", "outcomes")
    [hit] = found.outcomes["retrieve"].course.evidence
    assert (hit.passage.text, hit.similarity) == ("It is blue.", 0.8)


def test_a_retrieval_that_failed_is_told(tmp_path: Path) -> None:
    failed = trajectory("red", steps=[{**FOUND, "succeeded": False, "evidence": []}])
    [line] = written(tmp_path, [NEVER, ("single", failed, False)])
    assert line["outcomes"]["retrieve"] == {"answer": "red", "correct": False, "succeeded": False}


def test_a_passage_that_is_not_on_record_leaves_the_evidence_unknown(tmp_path: Path) -> None:
    other = {**FOUND, "evidence": [*FOUND["evidence"], {"passage_id": "p2", "similarity": 0.1}]}
    [line] = written(tmp_path, [NEVER, ("single", trajectory("blue", steps=[other]), True)])
    assert line["outcomes"]["retrieve"] == {"answer": "blue", "correct": True}


def test_how_sure_the_answer_after_the_same_retrieval_looked_is_told(tmp_path: Path) -> None:
    after_it = {"logprob": -0.2, "entropy": 0.1, "margin": 0.9, "n_tokens": 1}
    other = {**after_it, "margin": 0.4}
    elsewhere = trajectory("x", steps=[{**FOUND, "sub_question": "Who?"}], seen={AFTER_ONE: other})
    looked = trajectory("blue", steps=[FOUND, FOUND], seen={AFTER_ONE: after_it})
    single = ("single", trajectory("blue", steps=[FOUND]), True)
    written(tmp_path, [NEVER, single, ("flare", elsewhere, False), ("raser", looked, True)])
    [found] = read_outcomes(tmp_path / "outcomes.jsonl", "outcomes")
    assert found.outcomes["retrieve"].course.signals.recorded == after_it
