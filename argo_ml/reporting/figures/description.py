"""How a figure of an evaluation describes itself: what it shows stands beside its drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.captions import Caption
from argo_ml.results.records import Results


@dataclass(frozen=True, slots=True)
class EvaluationFigure:
    """A figure of the report; ``draw`` returns None where the evaluation has no data for it."""

    caption: Caption
    draw: Callable[[Evaluation, Results], Figure | None]
    has_heading: bool = False
    """Whether it says itself what it is of."""
