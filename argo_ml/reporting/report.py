"""Writes the report of a sweep as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from argo_ml import __version__
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.advice_words import price_span
from argo_ml.evaluation.examples import Example
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.captions import CAPTIONS, GRAPHS
from argo_ml.reporting.columns import table_columns
from argo_ml.reporting.content import MARKS, content
from argo_ml.reporting.drawing import draw_evaluation
from argo_ml.reporting.formatting import FILTERS, price_ends
from argo_ml.reporting.large_enough import not_drawn
from argo_ml.results.artifacts import FIGURES, REPORT_PAGE
from argo_ml.results.records import Results
from argo_ml.results.unit import Unit, unit_of
from argo_ml.tracking.runs import TrackedRun

TEMPLATE = "report.html.j2"
MOST_SVG_BYTES = 300_000
"""What is larger is shown as PNG."""


@dataclass(frozen=True, slots=True)
class InlineFigure:
    """``source`` is a data URI."""

    name: str
    source: str
    caption: str
    alternative: str


def write_report(
    evaluation: Evaluation, results: Results, path: Path, examples: Sequence[Example] = ()
) -> None:
    """Draw the figures of the evaluation and write the report with them into ``path``."""
    with tempfile.TemporaryDirectory() as folder:
        draw_evaluation(evaluation, results, Path(folder))
        text = _rendered(evaluation, results, examples, Path(folder))
    path.write_text(text, encoding="utf-8")


def store_report(
    run: TrackedRun,
    evaluation: Evaluation,
    results: Results,
    examples: Sequence[Example] = (),
    advice: Advice | None = None,
    drawn: Path | None = None,
) -> str:
    """Log the figures of the evaluation and the report on ``run``; returns the report.

    With an ``advice`` that was drawn from it the report begins with that. ``drawn`` is a folder of
    the figures where they were drawn before.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if drawn is None:
            draw_evaluation(evaluation, results, folder / FIGURES)
        else:
            shutil.copytree(drawn, folder / FIGURES)
        text = _rendered(evaluation, results, examples, folder / FIGURES, advice)
        (folder / REPORT_PAGE).write_text(text, encoding="utf-8")
        run.log_folder(folder)
    return text


def _rendered(
    evaluation: Evaluation,
    results: Results,
    examples: Sequence[Example],
    figures: Path,
    advice: Advice | None = None,
) -> str:
    inlined, unit = list(_inlined(figures)), unit_of(results.spec)
    template = template_environment(unit).get_template(TEMPLATE)
    return template.render(
        content=content(evaluation, results),
        advice=advice,
        columns=table_columns(evaluation, unit),
        examples=examples,
        graphs=[figure for figure in inlined if figure.name in GRAPHS],
        figures=[figure for figure in inlined if figure.name not in GRAPHS],
        not_drawn=not_drawn(evaluation),
        version=__version__,
    )


@cache
def template_environment(unit: Unit) -> Environment:
    """Where templates are kept compiled, which takes longer than to fill them in."""
    environment = Environment(
        loader=PackageLoader("argo_ml.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.filters.update(at_price=unit.at_price, amount=unit.price, gain=unit.gain)
    environment.filters["price_span"] = partial(price_span, unit=unit)
    environment.filters["price_ends"] = partial(price_ends, unit=unit)
    environment.globals.update(MARKS=MARKS, unit=unit)
    return environment


def _inlined(folder: Path) -> Iterator[InlineFigure]:
    """The figures that were drawn, in the order of the report."""
    for name, shown in CAPTIONS.items():
        path = folder / f"{name}.svg"
        if path.exists():
            yield InlineFigure(name, _data_uri(path), shown.caption, shown.alternative)


def _data_uri(path: Path) -> str:
    """As an image of its own: ids of several figures in one document would clash."""
    kind = "svg+xml"
    if path.stat().st_size > MOST_SVG_BYTES:
        kind, path = "png", path.with_suffix(".png")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
