"""One answered question, step by step."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from argo_ml.cli.rendering.console import console
from argo_ml.evaluation.roles import is_argo
from argo_ml.state import Outcome
from argo_ml.sweep.answer import Answered
from argo_ml.types import Action, Evidence, Question, Step, StopReason, Usage

_N_WORDS = 24
_STOPS = {
    StopReason.THRESHOLD: "the progress reached the threshold",
    StopReason.POLICY: "the policy stopped",
    StopReason.LIMIT: "the step limit was reached",
    StopReason.ABSTAIN: "the policy withheld its answer",
    StopReason.UNANSWERED: "the model did not take a prompt",
}


def print_answered(answered: Answered) -> None:
    out = console()
    question, outcome, table = answered.question, answered.outcome, answered.table
    out.print(Text.assemble(("Question  ", "bold"), question.text))
    if table.theta_cont is not None and table.theta_star is not None:
        out.print(
            f"Thresholds of {answered.strategy}: retrieve below U = {table.theta_cont:.3g}, stop "
            f"at U = {table.theta_star:.3g}, at c_r = {answered.retrieval_cost:g}"
        )
        if table.theta_cont <= 0.0 and is_argo(answered.strategy):
            out.print(
                "By its gains a retrieval is too dear at this price; a lower --retrieval_cost or "
                "--strategy single looks into the documents"
            )
    before = 0.0
    for number, step in enumerate(outcome.steps, 1):
        _print_step(out, number, step, before)
        before = step.progress
    _print_answer(out, question, outcome)
    _print_totals(out, outcome)


def _print_step(out: Console, number: int, step: Step, before: float) -> None:
    out.print()
    out.print(
        Text.assemble(
            (f"Step {number}  {step.action.value}", "bold"),
            f"  price {step.cost:g}, progress {before:.2f} -> {step.progress:.2f}",
        )
    )
    note = " (the question itself: the model's was empty or repeated)" if step.fallback else ""
    _indented(out, f"asked: {step.sub_question}{note}")
    for hit in step.evidence:
        _indented(out, _passage_line(hit), by=4)
    if step.succeeded:
        _indented(out, f"answer: {step.sub_answer or '(empty)'}")
    else:
        _indented(out, "nothing similar enough was found, or it did not arrive")


def _passage_line(hit: Evidence) -> str:
    words = hit.passage.text.split()
    shown = " ".join(words[:_N_WORDS]) + (" ..." if len(words) > _N_WORDS else "")
    title = f"{hit.passage.title}: " if hit.passage.title else ""
    return f"{hit.similarity:.2f}  {title}{shown}"


def _print_answer(out: Console, question: Question, outcome: Outcome) -> None:
    answer = outcome.answer
    out.print()
    for index, choice in enumerate(question.choices):
        mark = "*" if index == answer.choice else " "
        score = f"{answer.scores[index]:8.3f}  " if answer.scores else ""
        _indented(out, f"{mark} {score}{choice}")
    if answer.scores:
        _indented(out, "(log-likelihood per token; * the chosen one)")
    note = "" if answer.parsed else "  (could not be read as an answer)"
    out.print(Text.assemble(("Answer  ", "bold"), f"{answer.text or '(empty)'}{note}"))


def _print_totals(out: Console, outcome: Outcome) -> None:
    out.print(f"Stopped because {_STOPS[outcome.stop_reason]}, at U = {outcome.progress:.2f}")
    out.print(
        f"Cost {outcome.cost:.4g}: {outcome.count(Action.RETRIEVE)} retrievals, "
        f"{outcome.count(Action.REASON)} reasoning steps"
    )
    out.print(_usage_line(outcome.usage))


def _usage_line(usage: Usage) -> str:
    return (
        f"Language-model calls {usage.calls}: decomposer {usage.decomposer_calls}, "
        f"reader {usage.reader_calls}, reasoner {usage.reasoner_calls}, "
        f"synthesizer {usage.synthesizer_calls}; {usage.prompt_tokens} prompt and "
        f"{usage.completion_tokens} completion tokens, {usage.seconds:.1f} s"
    )


def _indented(out: Console, text: str, by: int = 2) -> None:
    out.print(Padding(Text(text), (0, 0, 0, by), expand=False))
