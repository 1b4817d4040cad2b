"""Specs of an experiment, of one cell and of a sweep."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from argo_ml.config.base import Names, Positive, Prices, operational
from argo_ml.config.fields import (
    EMBEDDED_MODEL,
    MODES,
    AdaptiveFields,
    CorpusFields,
    EpisodeFields,
    ExecutorFields,
    MDPFields,
    ModelFields,
    QuestionFields,
    TrackingFields,
)

DEFAULT_STRATEGIES = ("argo", "always_retrieve", "always_reason", "random")


# The last base comes first in help texts and in MLproject: this is pydantic's order of fields.
class ExperimentSpec(
    TrackingFields,
    AdaptiveFields,
    MDPFields,
    EpisodeFields,
    ModelFields,
    CorpusFields,
    QuestionFields,
):
    """Everything that cells of one sweep share."""

    @model_validator(mode="after")
    def _sources_named(self) -> ExperimentSpec:
        if self.dataset == "jsonl" and not self.questions:
            raise ValueError("dataset=jsonl needs questions=FILE.jsonl")
        if self.dataset == "jsonl" and not self.documents:
            raise ValueError("dataset=jsonl needs documents=FOLDER or a corpus JSONL")
        return self

    @property
    def question_limit(self) -> int:
        return self.n_questions or MODES[self.mode][0]

    @property
    def generation_limit(self) -> int:
        """Most new tokens of a generation: 50 as in the original study, 24 where it is slow."""
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        return 24 if self.model == EMBEDDED_MODEL else 50


class CellSpec(ExperimentSpec):
    """One cell: one strategy at one retrieval cost."""

    strategy: str = Field("argo", description="Policy that decides each step.")
    retrieval_cost: Positive = Field(0.11, description="Price c_r of one retrieval.")


class SweepSpec(ExecutorFields, ExperimentSpec):
    """A grid of cells: every strategy at every retrieval cost."""

    strategies: Names = Field(DEFAULT_STRATEGIES, description="Strategies, comma-separated.")
    retrieval_costs: Prices = Field(
        (), description="Prices c_r, comma-separated; empty: n_prices from 1 to 10 x reason_cost."
    )
    n_prices: int | None = Field(None, ge=1, description="Number of prices; empty for the mode's.")
    resume: str = Field("", **operational("Run id of an unfinished sweep to continue."))

    @model_validator(mode="after")
    def _worker_gpus_wanted(self) -> SweepSpec:
        n_gpus = self.gpus_per_worker
        refused = {"cpu": n_gpus, "cuda": n_gpus == 0}
        if refused.get(self.device):
            raise ValueError(
                f"gpus_per_worker={n_gpus} does not go with device={self.device}; leave one out"
            )
        return self

    @model_validator(mode="after")
    def _grid_valid(self) -> SweepSpec:
        for name, values in (
            ("strategies", self.strategies),
            ("retrieval_costs", self.retrieval_costs),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"{name}={','.join(map(str, values))} repeats a value")
        return self

    @property
    def prices(self) -> tuple[float, ...]:
        if self.retrieval_costs:
            return self.retrieval_costs
        n_prices = self.n_prices or MODES[self.mode][1]
        steps = np.linspace(1, 10, n_prices) * self.reason_cost
        return tuple(round(float(price), 10) for price in steps)

    def cells(self) -> list[CellSpec]:
        shared = {name: getattr(self, name) for name in ExperimentSpec.model_fields}
        return [
            CellSpec(**shared, strategy=strategy, retrieval_cost=price)
            for strategy in self.strategies
            for price in self.prices
        ]
