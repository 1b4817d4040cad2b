"""The spec of a study: what is searched, in which ranges, for which prices."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.base import (
    HelpSection,
    PriceList,
    Spec,
    check_unrepeated,
    identity_fields,
    operational,
    shared_fields,
    shown_value,
)
from argo_ml.config.experiment import SHARED_FIRST, ContextSpec, ExperimentSpec
from argo_ml.config.run_fields import CalibrationFields, GateFields, MDPFields, TrackingFields
from argo_ml.config.source_fields import ModeName

RANGE_SUFFIX = "_range"
DEPTH = ("max_steps", "top_k", "min_similarity")
"""Parameters of the episode that a study searches for every strategy."""
THRESHOLDS = ("theta_cont", "theta_star")
GAINS = ("delta_r", "delta_p")
OPTIONAL = (*GAINS, "policy_mu")
"""Parameters of the process that it searches where a range is given."""
WHOLE = frozenset({"max_steps", "top_k"})
"""Parameters that are whole numbers."""
STEPS: Mapping[str, float] = {"min_similarity": 0.05}
"""Grids that are fine enough, and let trials share what they find."""


def _as_range(value: object) -> object:
    """``low,high``, or one value that is not searched."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        value = parts * 2 if len(parts) == 1 else parts
    if isinstance(value, (int, float)):
        value = (value, value)
    if isinstance(value, (list, tuple)) and len(value) != 2:
        raise ValueError("must be low,high or a single value")
    return value


Range = Annotated[tuple[float, float], BeforeValidator(_as_range)]


class StudyFields(Spec):
    """How a study searches and judges, and where it is stored."""

    section: ClassVar[HelpSection] = HelpSection.SEARCH

    test_split: Literal["test", "tune", "calibration"] = Field(
        "test", description="Split, disjoint from the other, that the best settings are judged on."
    )
    objective: Literal["utility", "accuracy_cost"] = Field(
        "utility",
        description="utility: accuracy - mu x cost; accuracy_cost: both, and their Pareto front.",
    )
    n_trials: int = Field(
        100, ge=1, **operational("Trials of the study, those of earlier commands included.")
    )
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="Optuna's sampler: tree-structured Parzen estimator, or random."
    )
    sampler_seed: int | None = Field(
        None, description="Seed of the sampler alone; empty: seed, which also draws the questions."
    )
    pruning: bool = Field(
        True, description="true: stop a trial that is clearly worse on the questions seen so far."
    )
    storage: str = Field(
        "",
        **operational("Optuna storage URL (sqlite, postgresql, mysql); empty: in cache_dir."),
    )
    study: str = Field(
        "", **operational("Name of the study in its storage; empty: by what it searches.")
    )
    heartbeat_s: int = Field(
        15,
        ge=1,
        **operational("Seconds between signs of life; after four missed ones a trial runs again."),
    )


class RangeFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.RANGES

    max_steps_range: Range = Field((1, 20), description="Range of max_steps (low,high).")
    theta_cont_range: Range | None = Field(
        None, description="Range of theta_cont, never above theta_star; empty: 0 to u_max."
    )
    theta_star_range: Range | None = Field(
        None, description="Range of theta_star; empty: 0 to u_max."
    )
    top_k_range: Range = Field((1, 5), description="Range of top_k.")
    min_similarity_range: Range = Field(
        (0.0, 0.6), description="Range of min_similarity, in steps of 0.05."
    )
    delta_r_range: Range | None = Field(None, description="Range of delta_r; empty: not searched.")
    delta_p_range: Range | None = Field(None, description="Range of delta_p; empty: not searched.")
    policy_mu_range: Range | None = Field(
        None, description="Range of policy_mu; empty: not searched."
    )


class StudySpec(
    RangeFields, StudyFields, ContextSpec, TrackingFields, GateFields, CalibrationFields, MDPFields
):
    """A search of one strategy's settings on one split, judged on another."""

    section: ClassVar[HelpSection] = HelpSection.STRATEGIES
    most_used: ClassVar[tuple[str, ...]] = (
        "strategy",
        "retrieval_costs",
        "n_trials",
        *SHARED_FIRST,
    )

    mode: ModeName = Field(
        "medium", description="Size: small 10 questions, medium 100, full 1000, of each split."
    )
    split: Literal["test", "tune", "calibration", "all"] = Field(
        "tune", description="Split that the settings are searched on."
    )
    strategy: str = Field("fixed_threshold", description="Strategy whose settings are searched.")
    retrieval_costs: PriceList = Field(
        (0.11,), description="Prices c_r, comma-separated; each gets its own best settings."
    )

    @model_validator(mode="after")
    def _study_valid(self) -> StudySpec:
        check_unrepeated("retrieval_costs", self.retrieval_costs)
        if self.split in ("all", self.test_split):
            raise ValueError(
                f"split={self.split} overlaps test_split={self.test_split}; choose two of "
                "calibration, tune, test"
            )
        return self

    @model_validator(mode="after")
    def _prices_searchable(self) -> StudySpec:
        if not self.retrieval_costs:
            raise ValueError("retrieval_costs is empty; give at least one price")
        several = len(self.retrieval_costs) > 1
        if several and self.objective == "accuracy_cost":
            raise ValueError(
                f"retrieval_costs={shown_value(self.retrieval_costs)}: objective=accuracy_cost has "
                "a front per price; give one price"
            )
        return self

    @model_validator(mode="after")
    def _ranges_valid(self) -> StudySpec:
        for name, (low, high) in self.ranges.items():
            given = f"{name}{RANGE_SUFFIX}={low:g},{high:g}"
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"{given} must be finite numbers")
            if low > high:
                raise ValueError(f"{given} is upside down; give {high:g},{low:g}")
            lowest, highest = self._limits(name)
            if low < lowest or high > highest:
                raise ValueError(f"{given} must be within {lowest:g},{highest:g}")
            if name in WHOLE and (low % 1 or high % 1):
                raise ValueError(f"{given} must be whole numbers")
        if self.ranges["theta_cont"][0] > self.ranges["theta_star"][0]:
            raise ValueError(
                f"theta_cont{RANGE_SUFFIX} begins at {self.ranges['theta_cont'][0]:g}, above "
                f"theta_star{RANGE_SUFFIX} at {self.ranges['theta_star'][0]:g}; theta_cont must "
                "not exceed theta_star"
            )
        return self

    def _limits(self, name: str) -> tuple[float, float]:
        if name in THRESHOLDS:
            return 0.0, self.u_max
        if name == "min_similarity":
            return -1.0, 1.0
        if name in GAINS:
            return self.u_max / 1000, self.u_max
        return (1.0 if name in WHOLE else 0.0), float("inf")

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Low and high by parameter; equal where it is not searched."""
        names = (*DEPTH, *THRESHOLDS, *OPTIONAL)
        ranges = {name: getattr(self, f"{name}{RANGE_SUFFIX}") for name in names}
        whole = {name: (0.0, self.u_max) for name in THRESHOLDS}
        return whole | {name: given for name, given in ranges.items() if given is not None}

    @property
    def search_text(self) -> str:
        """Everything that the trials of one study must share, as canonical JSON.

        What its cells have beside the study's own fields belongs to it.
        """
        cells = identity_fields(ExperimentSpec(**self.shared()))
        step_gains = {"step_gains": self.gains} if self.steps_gain_as_measured else {}
        return json.dumps({**cells, **identity_fields(self), **step_gains}, sort_keys=True)

    def shared(self) -> dict[str, Any]:
        """The fields that its cells have too."""
        return shared_fields(self, ExperimentSpec)
