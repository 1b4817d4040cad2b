"""The engine against the original scripts' way: one question, strategy, price, call at a time.

Both run the same cells on the same questions with the same model in this process. The naive run
shares nothing: no cache of calls, no batch, no reuse of a prompt's beginning. Answers must be the
same; where a batch's rounding has changed one, it is counted and shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from argo_ml.config import SweepSpec, build
from argo_ml.corpus.base import Retriever
from argo_ml.models import load_model
from argo_ml.models.base import Completion, Generation, LanguageModel, Scores, Scoring
from argo_ml.pipeline import run_episode
from argo_ml.pipeline.requests import Request, Requesting, Response, Retrieval
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext, prepare_cells
from benchmarks.reporting import report
from benchmarks.workplace import needed_and_paid, run_grid, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=1)
    parser.add_argument("--n-prices", type=int, default=10)
    parser.add_argument("--difficulty", default="hard")
    given = parser.parse_args()
    with workplace() as folder:
        spec = build(
            SweepSpec,
            {
                "n_questions": given.n_questions,
                "n_prices": given.n_prices,
                "difficulty": given.difficulty,
                "cache_dir": folder,
            },
        )
        context = LocalContext.open(spec)
        plain = load_model(build(SweepSpec, {**spec.model_dump(), "prefix_cache_mb": 0}))
        cells = prepare_cells(spec.cells(), context)
        # The first pass through a model is slower than the others.
        plain.generate(_warming(context))
        context.model.generate(_warming(context))

        started = time.perf_counter()
        rows = run_grid(spec, context)
        engine_s = time.perf_counter() - started
        started = time.perf_counter()
        outcomes, n_calls = run_naively(cells, context, plain)
        naive_s = time.perf_counter() - started

    compared = [
        (row.answer, outcome.answer.text)
        for cell in cells
        for row, outcome in zip(rows[cell.id], outcomes[cell.id], strict=True)
    ]
    differing = [pair for pair in compared if pair[0] != pair[1]]
    needed, paid = needed_and_paid(rows)
    table = [
        {"way": "naive", "calls executed": n_calls, "seconds": naive_s},
        {"way": "engine", "calls executed": paid, "seconds": engine_s},
    ]
    report(
        "naive",
        table,
        questions=given.n_questions,
        cells=len(cells),
        calls_needed=needed,
        ratio=naive_s / engine_s,
        answers=len(compared),
        answers_that_differ=len(differing),
        differing=differing[:20],
    )


def run_naively(
    cells: Sequence[Cell], context: LocalContext[SweepSpec], model: LanguageModel
) -> tuple[dict[str, list[Outcome]], int]:
    """Outcomes by cell id, and the calls made."""
    outcomes: dict[str, list[Outcome]] = {}
    n_calls = 0
    for cell in cells:
        for question in context.questions.questions:
            outcome = _follow(
                run_episode(question, cell.policy, cell.pipeline), model, context.corpus.retriever
            )
            outcomes.setdefault(cell.id, []).append(outcome)
            n_calls += outcome.usage.calls
    return outcomes, n_calls


def _follow(episode: Requesting[Outcome], model: LanguageModel, retriever: Retriever) -> Outcome:
    response: Response | None = None
    while True:
        try:
            request = episode.send(response)  # type: ignore[arg-type]
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        response = _answer(request, model, retriever)


def _answer(
    request: Request, model: LanguageModel, retriever: Retriever
) -> Completion | Scores | Response:
    if isinstance(request, Generation):
        return model.generate([request])[0]
    if isinstance(request, Scoring):
        return model.score([request])[0]
    assert isinstance(request, Retrieval), "no policy here asks for an embedding"
    return retriever.retrieve([request.query], request.top_k)[0]


def _warming(context: LocalContext[SweepSpec]) -> list[Generation]:
    from argo_ml.pipeline import prompts

    return [Generation(prompts.reasoner(context.questions.questions[0].text, [], "Why?"), 4)]


if __name__ == "__main__":
    main()
