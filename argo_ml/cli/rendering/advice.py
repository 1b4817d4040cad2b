"""What the terminal shows of an advice."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE
from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.cli.rendering.results import whereabouts
from argo_ml.evaluation.advice import Advice, AdvisedRange, DataCheck
from argo_ml.evaluation.advice_words import price_span
from argo_ml.results.unit import Unit
from argo_ml.tracking.location import locate, serving_command, store_option


def print_advice(advice: Advice) -> None:
    """What was looked at, the answer, the ranges of prices, and where the run is."""
    out = console()
    for line in (advice.question, *advice.sentences):
        out.print(line, soft_wrap=True)
    out.print(advice_table(advice))
    location = locate(advice.advice_id)
    for line in (*_notes(advice, store_option(location.uri)), *whereabouts(location)):
        out.print(line, soft_wrap=True)


def advice_table(advice: Advice) -> Table:
    """One row per range of prices; price and action are narrow, as the gain has lines anyway."""
    table = Table(header_style="bold", box=SIMPLE, padding=0, show_edge=False)
    table.add_column("price", min_width=8, max_width=10, overflow="fold")
    table.add_column("do", min_width=8, max_width=8)
    table.add_column("strategy", overflow="fold")
    table.add_column("gain [95 % CI]", overflow="fold")
    for heading in ("retrieves", "accuracy"):
        table.add_column(heading, justify="right", min_width=len(heading))
    for own in advice.ranges:
        table.add_row(*_row(own, advice.unit.shown))
    return table


def _row(own: AdvisedRange, unit: Unit) -> tuple[str, ...]:
    return (
        price_span(own, unit),
        own.recommendation.value,
        own.strategy,
        f"{unit.gain(own.gain)}\nover {own.alternative}\n{own.certainty.words}",
        f"{100 * own.retrieval_share:.0f} %",
        f"{own.accuracy:.3f}",
    )


def _notes(advice: Advice, store: str) -> Iterator[str]:
    if advice.data is not None:
        yield from data_lines(advice.data)
    sizes = ", ".join(f"{n} {split}" for split, n in advice.sizes.items())
    yield f"questions: {sizes}; judged on the {advice.judged_on} split"
    if not advice.is_confirming:
        yield "judged on the questions that it was chosen on, which favors it: not confirmed"
    for stage, why in advice.cut.items():
        yield f"{stage} ended early: {why}"
    if advice.published:
        yield f"serve it: {serving_command(advice.published)}"
    elif advice.is_confirming:
        yield f"put it to use: argo-ml publish --advice {advice.advice_id}{store}"
    if advice.go_on:
        yield f"go on with: {advice.go_on}{store}"


def data_lines(data: DataCheck) -> Iterator[str]:
    splits = ", ".join(f"{own.n_used} of {own.n_questions} {own.split}" for own in data.splits)
    yield f"data: {splits} questions; {data.n_passages:,} passages"
    if data.hit_rate is not None and data.reachable is not None:
        yield (
            f"a gold answer stands in the {data.top_k} nearest passages of "
            f"{100 * data.hit_rate:.0f} % of {data.n_looked_up} questions, in the 50 nearest of "
            f"{100 * data.reachable:.0f} %"
        )
    if len(data.hit_rates) > 1:
        rates = [f"{name} {100 * rate:.0f} %" for name, rate in sorted(data.hit_rates.items())]
        yield f"by retriever: {', '.join(rates)}"
    yield from data.concerns
