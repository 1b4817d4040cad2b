"""What actions use, from explored outcomes."""

from __future__ import annotations

from dataclasses import replace

from argo_ml.calibration.action_usage import measure_action_usage
from argo_ml.state import Outcome
from argo_ml.types import Action, Answer, Step, StopReason, Usage

RETRIEVE = Step("s", Action.RETRIEVE, "a", 0.25, 0.1)
REASON = Step("s", Action.REASON, "a", 0.08, 0.02)


def tokens(*counts: int) -> tuple[Usage, ...]:
    return tuple(Usage(prompt_tokens=count, seconds=count / 100) for count in counts)


def outcome(question: str, steps: tuple[Step, ...], took: str, looks: str) -> Outcome:
    return Outcome(
        question_id=question,
        answer=Answer("a"),
        steps=steps,
        stop_reason=StopReason.POLICY,
        progress=0.0,
        usage=Usage(),
        step_usages=tokens(*map(int, took.split())),
        answer_usages=tokens(*map(int, looks.split())),
    )


def test_a_step_used_its_calls_and_what_it_adds_to_the_answer() -> None:
    explored = [
        outcome("q", (RETRIEVE, RETRIEVE), took="300 500", looks="100 400 700"),
        outcome("q", (REASON,), took="80", looks="100 130"),
    ]

    measured = measure_action_usage(explored)

    assert (measured["retrieve"].prompt_tokens, measured["retrieve"].n) == (700.0, 2)
    assert (measured["reason"].prompt_tokens, measured["reason"].seconds) == (110.0, 1.1)
    assert measured["probe"].prompt_tokens == (100 + 400 + 700 + 130) / 4


def test_a_step_that_several_plans_share_counts_once() -> None:
    explored = [
        outcome("q", (RETRIEVE,), took="300", looks="100 400"),
        outcome("q", (RETRIEVE, REASON), took="300 50", looks="100 400 450"),
    ]

    assert measure_action_usage(explored)["retrieve"].n == 1


def test_retrievals_of_another_size_say_nothing_of_the_usual_one() -> None:
    other = replace(RETRIEVE, top_k=5)

    assert measure_action_usage([outcome("q", (other,), "900", "100 900")]) == {}
