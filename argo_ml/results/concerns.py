"""What is wrong with answers in a way that a setting would mend, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from argo_ml.models.reasoning import is_unfinished
from argo_ml.results.records import Results


def unfinished_replies(results: Results, max_new_tokens: int) -> Iterator[str]:
    """A line where replies ended within <think>: they hold no answer and count as wrong."""
    rows = [row for cell in results.cells for row in cell.questions]
    n_unfinished = sum(not row.parsed and is_unfinished(row.answer) for row in rows)
    if n_unfinished:
        yield (
            f"{n_unfinished} of {len(rows)} replies ended within <think> and hold no answer: they "
            f"count as wrong; raise max_new_tokens={max_new_tokens}, or let the model answer "
            "without thinking"
        )
