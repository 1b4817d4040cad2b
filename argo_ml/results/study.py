"""The report of a study: written as ``report.json`` on its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_ml.policies.argo import ARGO
from argo_ml.results.records import Identifier, Record
from argo_ml.statistics.intervals import Estimate, interval_sign, shows_spread

OBJECTIVES = "argo.objectives"
"""Attribute of a study in Optuna: the names of what it optimises."""
TRIAL = "argo.trial"
"""Attribute of a trial in Optuna, {"run_id", "settings"}, and the tag of its run in MLflow."""


def settings_of(attributes: Mapping[str, Any]) -> dict[str, float]:
    """The settings of a trial by its attributes."""
    return dict(attributes[TRIAL]["settings"])


class Difference(Record):
    """Utility of the best settings minus that of a strategy, paired by test question."""

    strategy: str
    mean: float
    low: float
    high: float
    """Bootstrap 95 % interval."""
    sign: int | None = None
    """1 or -1 where it is told to lie above or below 0, else 0; None in earlier reports."""

    @property
    def told_sign(self) -> int:
        """Of earlier reports by the interval alone."""
        return interval_sign(self.low, self.high) if self.sign is None else self.sign

    @property
    def shown(self) -> str:
        """``+0.031 [+0.004, +0.058]``"""
        return f"{Estimate(self.mean, self.low, self.high):+z.3f}"


class Score(Record):
    accuracy: float
    cost: float
    utility: float


class Best(Record):
    """The best settings at one price, chosen on the tune split and judged once on the test split.

    ``optimism`` is the utility on the first minus that on the second.
    """

    retrieval_cost: float
    trial: int
    run_id: Identifier
    settings: Mapping[str, float]
    tune: Score
    test: Score
    optimism: float
    differences: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        """One sentence: did tuning help?"""
        against = next(difference for difference in self.differences if difference.strategy == ARGO)
        difference = f"utility {against.shown} against untuned ARGO on the test split"
        if sign := against.told_sign:
            return f"tuning {'helped' if sign > 0 else 'did harm'}: {difference}"
        why = "an interval that holds 0"
        if interval_sign(against.low, against.high):
            why = "which answers that no question has shown yet may outweigh"
        if not shows_spread(against.low, against.high):
            why = "the same on every question, which settles nothing"
        return f"tuning did not help measurably: {difference}, {why}"


class FrontPoint(Record):
    """A trial that no other dominates, with the objective's values."""

    trial: int
    values: Mapping[str, float]
    settings: Mapping[str, float]
    is_knee: bool = False


class StudyReport(Record):
    """``front`` is empty where the study has one objective."""

    schema_version: int = 1
    study_id: str
    """MLflow run id of the study."""
    study: str
    spec: Mapping[str, Any]
    n_questions: int
    n_complete: int
    n_pruned: int
    n_failed: int
    best: tuple[Best, ...]
    front: tuple[FrontPoint, ...] = ()
    trials_per_second: float | None
    """Of the worker that ended the study; None where it ran no trial."""
    lm_calls_paid: int
    lm_calls_paid_per_trial: float
