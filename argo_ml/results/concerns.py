"""What is wrong with answers in a way that a setting would mend, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from argo_ml.models.reasoning import is_unfinished
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import Results


def unfinished_replies(results: Results, thinking_tokens: int) -> Iterator[str]:
    """A line where replies ended within <think>: they hold no answer and count as wrong."""
    # A reply that could be read was not cut off, and its text is not kept.
    answers = [
        ("" if parsed else str(answer), bool(parsed))
        for cell in results.cells
        for answer, parsed in row_values(cell.questions, "answer", "parsed")
    ]
    yield from unfinished_answers(answers, thinking_tokens)


def unfinished_answers(answers: Sequence[tuple[str, bool]], thinking_tokens: int) -> Iterator[str]:
    """The same of ``answers``: what was replied, and whether it could be read."""
    n_unfinished = sum(not parsed and is_unfinished(reply) for reply, parsed in answers)
    if n_unfinished:
        yield (
            f"{n_unfinished} of {len(answers)} replies ended within <think> and hold no answer: "
            f"they count as wrong; raise thinking_tokens={thinking_tokens}, or let the model "
            "answer without thinking"
        )
