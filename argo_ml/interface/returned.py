"""What the functions of the Python interface return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from argo_ml.calibration.record import Calibration
from argo_ml.config import StudySpec, suggest
from argo_ml.errors import ConfigError
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.record import Evaluation
from argo_ml.interface.frames import (
    advice_frame,
    calibration_frame,
    cell_frame,
    question_frame,
    recorded_frame,
    study_frame,
)
from argo_ml.interface.notebook import show_figures
from argo_ml.interface.pages import page
from argo_ml.recording import Recorded
from argo_ml.reporting.figures.calibration import reliability_figure, too_few_to_draw
from argo_ml.reporting.figures.evaluation import draw_figure
from argo_ml.results.kept_folder import KeptFolder
from argo_ml.results.naming import described_questions, model_name
from argo_ml.results.records import CellResult, Results
from argo_ml.results.study import StudyReport
from argo_ml.results.unit import Unit, cost_decimals, unit_of
from argo_ml.sweep.estimate import SweepEstimate
from argo_ml.sweep.rebuilding import load_evaluated

RELIABILITY = "reliability"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep or replay: its results, and the evaluation that its report shows."""

    results: Results = field(repr=False)
    evaluation: Evaluation = field(repr=False)

    @property
    def run_id(self) -> str:
        """The MLflow run whose children the cells are."""
        return self.results.sweep_id

    @property
    def answer(self) -> str:
        """When it pays to retrieve, a sentence a line."""
        return "\n".join(self.evaluation.conclusion)

    def to_frame(self, per: Literal["question", "cell"] = "question") -> pd.DataFrame:
        """One row per question, strategy and price, or per strategy and price.

        Raises `ConfigError` for another value of ``per``.
        """
        frames = {"question": question_frame, "cell": cell_frame}
        if per not in frames:
            raise ConfigError(f"per={per}: must be question or cell")
        return frames[per](self.results)

    def figure(self, name: str = "price_utility") -> Figure:
        """A figure of the report or of the sweep's run, by its file's name.

        Raises `ConfigError` for a name that is unknown, or where there is no data for it.
        """
        show_figures()
        return draw_figure(name, self.evaluation, self.results)

    def __repr__(self) -> str:
        first = self.answer.partition("\n")[0]
        return f"SweepResult(run_id={self.run_id!r}, cells={len(self.results.cells)}): {first}"

    def _repr_html_(self) -> str:
        results = self.results
        made_of = f"{described_questions(results)}, {model_name(results.spec)}; run {self.run_id}"
        unit, cost_digits = unit_of(results.spec), cost_decimals(results.prices)
        own = (unit.worth_heading,) if unit.is_own else ()
        header = ("strategy", unit.heading, *_MEASURES, *own)
        rows = [_cell_row(cell, unit, cost_digits) for cell in results.cells]
        return page((*self.answer.splitlines(), made_of), header, rows)


def loaded_sweep(run_id: str, tracking_uri: str) -> SweepResult:
    """A finished sweep or replay by its run. Raises `ArgoError`."""
    results, evaluation = load_evaluated(run_id, tracking_uri)
    return SweepResult(results, evaluation)


_MEASURES = ("accuracy", "95 % CI", "retrievals", "cost", "utility")


def _cell_row(cell: CellResult, unit: Unit, cost_digits: int) -> tuple[str, ...]:
    values = cell.metrics
    return (
        cell.strategy,
        unit.price(cell.retrieval_cost),
        f"{values['accuracy']:.3f}",
        f"[{values['accuracy_ci_low']:.2f}, {values['accuracy_ci_high']:.2f}]",
        f"{values['retrieval_calls']:.3f}",
        f"{values['cost']:.{cost_digits}f}",
        f"{values['utility']:.3f}",
        *((unit.worth_of_thousand(values["utility"]),) if unit.is_own else ()),
    )


@dataclass(frozen=True)
class CalibrationResult:
    """A finished calibration; ``calibration=result.run_id`` of other jobs names it."""

    run_id: str
    calibration: Calibration = field(repr=False)
    metrics: Mapping[str, float] = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """One row per explored question and plan, and whether its answer was right."""
        return calibration_frame(self.calibration)

    def figure(self, name: str = RELIABILITY) -> Figure:
        """How far p-hat can be trusted. Raises `ConfigError` where too few questions tell."""
        if name != RELIABILITY:
            raise ConfigError(f"figure {name!r} is unknown{suggest(name, {RELIABILITY: None})}")
        if reason := too_few_to_draw(self.calibration):
            raise ConfigError(reason)
        show_figures()
        return reliability_figure(self.calibration)

    def _repr_html_(self) -> str:
        made_of = f"calibration of {len(self.calibration.questions)} questions; run {self.run_id}"
        return page([made_of], ("metric", "value"), _metric_rows(self.metrics))


@dataclass(frozen=True)
class StudyResult:
    """A finished study: the best settings at every price, judged on questions it had not seen."""

    report: StudyReport = field(repr=False)
    _spec: StudySpec = field(default=StudySpec(), repr=False)
    _folder: KeptFolder | None = field(default=None, repr=False)
    """Keeps the spec's storage there where it is a copy."""

    @property
    def run_id(self) -> str:
        return self.report.study_id

    def figure(self, name: str = "optimization_history") -> Figure:
        """A figure of the study, drawn from its storage: `optimization_history`, `slice`,
        `param_importances`, `thresholds` or `pareto_front`.

        Raises `ConfigError` for one that it has no data for, and `StudyError` where the storage is
        gone.
        """
        # Optuna takes seconds to import, and the other results do without.
        from argo_ml.reporting.figures.study import study_figure
        from argo_ml.study.storage import open_stored

        study = open_stored(self._spec, self.report.study)
        show_figures()
        return study_figure(name, study, self.report)

    def to_frame(self) -> pd.DataFrame:
        """One row per price: the best settings, and what they came to on both splits."""
        return study_frame(self.report)

    def __repr__(self) -> str:
        return f"StudyResult(run_id={self.run_id!r}, trials={self.report.n_complete})"

    def _repr_html_(self) -> str:
        lines = [f"c_r={best.retrieval_cost:.4g}: {best.verdict}" for best in self.report.best]
        frame = self.to_frame()
        rows = [tuple(map(_shown, row)) for row in frame.itertuples(index=False)]
        return page([*lines, f"run {self.run_id}"], list(frame.columns), rows)


@dataclass(frozen=True)
class AdviceResult:
    """When retrieval pays: ranges of prices, what to do in each, and what it gains."""

    advice: Advice = field(repr=False)
    _tracking_uri: str = field(default="", repr=False)

    @property
    def run_id(self) -> str:
        """The study's run, whose children its stages are."""
        return self.advice.advice_id

    @property
    def answer(self) -> str:
        """What to do, what it is worth, and what would change it, a sentence a line."""
        return "\n".join(self.advice.sentences)

    @property
    def judged(self) -> SweepResult:
        """The sweep or the replay that the advice was confirmed by."""
        return loaded_sweep(self.advice.judged_by, self._tracking_uri)

    def figure(self, name: str = "price_utility") -> Figure:
        """A figure of the sweep that the advice was confirmed by. Raises `ConfigError`."""
        return self.judged.figure(name)

    def to_frame(self) -> pd.DataFrame:
        """One row per price: what to do, the strategy, and what it gains over its alternative."""
        return advice_frame(self.advice)

    def __repr__(self) -> str:
        return f"AdviceResult(run_id={self.run_id!r}, judged_on={self.advice.judged_on!r})"

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        rows = [tuple(map(_shown, row)) for row in frame.itertuples(index=False)]
        return page([*self.advice.sentences, f"run {self.run_id}"], list(frame.columns), rows)


@dataclass(frozen=True)
class RecordResult:
    """A finished recording; it may stand for its file, as in ``replay(outcomes=recorded)``."""

    recorded: Recorded = field(repr=False)

    @property
    def run_id(self) -> str:
        return self.recorded.run_id

    @property
    def path(self) -> Path:
        """The file of outcomes."""
        return self.recorded.path

    def __fspath__(self) -> str:
        return str(self.path)

    def to_frame(self) -> pd.DataFrame:
        """One row per question and plan: the answer, whether it is right, and what it took."""
        return recorded_frame(self.recorded.questions)

    def __repr__(self) -> str:
        return (
            f"RecordResult(path={str(self.path)!r}, run_id={self.run_id!r}, "
            f"n_asked={self.recorded.n_asked}, n_kept={self.recorded.n_kept})"
        )

    def _repr_html_(self) -> str:
        questions = self.recorded.questions
        frame = self.to_frame().groupby("plan", sort=False)[["correct", "seconds"]].mean()
        rows = [tuple(map(_shown, row)) for row in frame.itertuples()]
        lines = [
            f"{len(questions)} questions in {self.path}; {self.recorded.n_asked} answers asked, "
            f"{self.recorded.n_kept} kept from earlier recordings; run {self.run_id}"
        ]
        return page(lines, ("plan", "accuracy", "seconds"), rows)


_ESTIMATED = (
    *("n_cells", "n_questions", "needed", "missing"),
    *("prompt_tokens", "completion_tokens", "seconds", "disk_bytes"),
)


@dataclass(frozen=True)
class EstimateResult:
    """What a sweep would need; it has no run, since nothing was run."""

    estimate: SweepEstimate = field(repr=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.estimate.metrics

    def to_frame(self) -> pd.DataFrame:
        """One row: cells, questions, calls, tokens, seconds and bytes on disk."""
        frame: pd.DataFrame = pd.DataFrame(
            [{name: getattr(self.estimate, name) for name in _ESTIMATED}]
        )
        return frame

    def __repr__(self) -> str:
        return "\n".join(self.estimate.lines)

    def _repr_html_(self) -> str:
        return page(self.estimate.lines, (), ())


def _metric_rows(metrics: Mapping[str, float]) -> Sequence[tuple[str, str]]:
    return [(name, _shown(value)) for name, value in sorted(metrics.items())]


def _shown(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
