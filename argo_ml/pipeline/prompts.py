"""Every prompt of the project, in one place.

Static text comes first and what changes comes last, so that prompts of one component share their
beginning. The model's own chat template is applied by the backend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from argo_ml.models.base import Prompt
from argo_ml.types import Action, Passage, Step

DECOMPOSER_SYSTEM = (
    "You split a hard question into simple ones. Given the question and the facts found so far, "
    "ask the one short question whose answer is still missing. It must make sense on its own."
)
READER_SYSTEM = (
    "You answer a question from passages. Use only the passages and answer in one short sentence."
)
REASONER_SYSTEM = (
    "You answer a question from what you know and the facts found so far. "
    "Answer in one short sentence."
)
SYNTHESIZER_SYSTEM = (
    "You give the final answer to a question, using the passages and facts when there are any."
)
NUMBER_INSTRUCTION = "Answer with the number of the right option only."


def decomposer(question: str, steps: Sequence[Step]) -> Prompt:
    history = f"Question: {question}\n\n{_facts(steps)}"
    request = "\n\nWhat should be asked next?"
    return Prompt(DECOMPOSER_SYSTEM, request, prefix="Next question:", history=history)


def reader(sub_question: str, passages: Sequence[Passage]) -> Prompt:
    return Prompt(READER_SYSTEM, f"{_passages(passages)}\n\nQuestion: {sub_question}")


def reasoner(question: str, steps: Sequence[Step], sub_question: str) -> Prompt:
    parts = [f"The larger question: {question}"] if sub_question != question else []
    if steps:
        parts.append(_facts(steps))
    history = "\n\n".join(parts)
    request = f"Question: {sub_question}"
    return Prompt(REASONER_SYSTEM, f"\n\n{request}" if history else request, history=history)


def synthesizer(
    question: str, steps: Sequence[Step], passages: Sequence[Passage], choices: Sequence[str] = ()
) -> Prompt:
    """The prompt for the final answer; with ``choices`` they are listed to be named by number."""
    parts = [_passages(passages)] if passages else []
    if any(step.sub_answer for step in steps):
        parts.append(_facts([step for step in steps if step.sub_answer]))
    parts.append(f"Question: {question}")
    if choices:
        parts.append("\n".join(f"{number}. {text}" for number, text in enumerate(choices, 1)))
        parts.append(NUMBER_INSTRUCTION)
    return Prompt(SYNTHESIZER_SYSTEM, "\n\n".join(parts), prefix="Answer:")


def prompts_digest() -> str:
    """Digest of all prompts as they render: part of a cell's identity."""
    step = Step("<sub-question>", Action.REASON, "<sub-answer>", 0.0, 0.0)
    passage = Passage("<id>", "<text>", "<title>")
    rendered = [
        decomposer("<question>", [step]),
        reader("<sub-question>", [passage]),
        reasoner("<question>", [step], "<other>"),
        synthesizer("<question>", [step], [passage], ["<a>", "<b>"]),
        synthesizer("<question>", [step], [passage]),
    ]
    return hashlib.sha256(repr(rendered).encode()).hexdigest()[:16]


def _facts(steps: Sequence[Step]) -> str:
    lines = [f"- {step.sub_question} {step.sub_answer or 'Nothing was found.'}" for step in steps]
    return "Facts found so far:\n" + "\n".join(lines)


def passage_block(passage: Passage) -> str:
    """A passage as it stands in a prompt."""
    return f"{passage.title}: {passage.text}" if passage.title else passage.text


def _passages(passages: Sequence[Passage]) -> str:
    return "Passages:\n" + "\n\n".join(map(passage_block, passages))
