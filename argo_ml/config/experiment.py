"""Specs of experiments: what opening one reads, one cell, a grid of cells, a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.base import (
    STRATEGIES_ARE_POLICIES,
    HelpSection,
    Names,
    build,
    check_unrepeated,
    is_resumed,
    left_out_at_default,
    not_read_with,
    operational,
    shared_fields,
)
from argo_ml.config.price_fields import MoneyFields
from argo_ml.config.run_fields import (
    AdaptiveFields,
    AnsweringFields,
    CalibrationFields,
    CellFields,
    DecisionFields,
    EpisodeFields,
    ExecutorFields,
    GateFields,
    GridFields,
    MDPFields,
    StepFields,
    StoreFields,
    ThresholdFields,
    TrackingFields,
    WorkerFields,
)
from argo_ml.config.source_fields import (
    EMBEDDED_MODEL,
    MODES,
    OF_WEIGHTS,
    SERVER,
    CacheFields,
    CorpusFields,
    CorpusSpec,
    InferenceFields,
    ModelFields,
    ModelNameFields,
    ModeName,
    QuestionFields,
    QuestionSpec,
    SeedFields,
)
from argo_ml.types import Prices

SHARED_FIRST = ("mode", "dataset", "questions", "documents", "difficulty", "model", "gpus")
"""Of the parameters that most experiments have, those that most people need."""


# The last base comes first in stored specs and in results: this is pydantic's order of fields, and
# why groups are listed here that are in others already.
class ModelSpec(AnsweringFields, ModelFields, CacheFields):
    """What opening a model reads."""


class ContextSpec(
    QuestionSpec,
    CorpusSpec,
    ModelSpec,
    StoreFields,
    CalibrationFields,
    EpisodeFields,
    AnsweringFields,
    StepFields,
    ModelFields,
    ModelNameFields,
    CorpusFields,
    QuestionFields,
):
    """What opening an experiment reads: questions, documents, model and calibration."""

    @property
    def generation_limit(self) -> int:
        """Most new tokens of a generation: 50 as in the original study, 24 where it is slow."""
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        return 24 if self.model == EMBEDDED_MODEL else 50


class ExperimentSpec(
    MoneyFields,
    ContextSpec,
    TrackingFields,
    DecisionFields,
    AdaptiveFields,
    ThresholdFields,
    MDPFields,
    EpisodeFields,
    AnsweringFields,
    StepFields,
    ModelFields,
    ModelNameFields,
    CorpusFields,
    QuestionFields,
):
    """Everything that cells of one sweep share."""


class CellSpec(CellFields, ExperimentSpec):
    """One cell: one strategy at one retrieval cost."""

    most_used: ClassVar[tuple[str, ...]] = (
        "strategy",
        "retrieval_cost",
        *SHARED_FIRST,
        "calibration",
    )

    @property
    def step_prices(self) -> Prices:
        """What steps cost whatever they use; in a unit of one's own a retrieval alone does."""
        if self.money is not None:
            return Prices(self.retrieval_cost, 0.0)
        return Prices(self.retrieval_cost, self.reason_cost, self.probe_cost)


class EstimateSpec(GridFields, ExperimentSpec):
    """A grid of cells: every strategy at every retrieval cost."""

    most_used: ClassVar[tuple[str, ...]] = (
        *SHARED_FIRST,
        "strategies",
        "retrieval_costs",
        "calibration",
    )

    @property
    def prices(self) -> tuple[float, ...]:
        if self.money is not None:
            return self.retrieval_shares()
        if self.retrieval_costs:
            return self.retrieval_costs
        n_prices = self.n_prices or MODES[self.mode][1]
        steps = np.linspace(1, 10, n_prices) * self.reason_cost
        return tuple(round(float(price), 10) for price in steps)

    def cells(self) -> list[CellSpec]:
        shared = shared_fields(self, ExperimentSpec)
        return [
            CellSpec(**shared, strategy=strategy, retrieval_cost=price)
            for strategy in self.strategies
            for price in self.prices
        ]


class SweepSpec(EstimateSpec, WorkerFields, ExecutorFields, ExperimentSpec):
    """A grid of cells that is run, in this process or by workers."""

    section: ClassVar[HelpSection] = HelpSection.EXECUTION

    resume: str = Field(
        "",
        **operational(
            "Run id of an unfinished sweep to continue; latest: the newest of the same command, or "
            "a new one where that has finished."
        ),
    )
    until: Literal["all", "decided"] = Field(
        "all",
        description="all: ask every question; decided: stop once they tell at every price whether "
        "deciding by the question pays (without strategies that do: whether retrieving once does), "
        "or that it matters less than 0.01.",
    )
    traces: int = Field(
        20,
        ge=0,
        le=10_000,
        **operational(
            "Episodes kept as MLflow traces, where strategies disagree the most; 0: none."
        ),
    )


OF_ONE_MODEL = (
    "it is of one model, and a comparison is of several; leave out what needs it, or run a sweep "
    "with each model and its calibration"
)
"""Why a comparison takes no calibration."""


class CompareSpec(
    GridFields,
    WorkerFields,
    TrackingFields,
    DecisionFields,
    EpisodeFields,
    InferenceFields,
    CorpusSpec,
    QuestionFields,
):
    """The same sweep for several models."""

    most_used: ClassVar[tuple[str, ...]] = (
        "models",
        *(name for name in SHARED_FIRST if name != "model"),
        "strategies",
        "retrieval_costs",
        "n_questions",
    )
    refused: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"model": "put every model into models=A,B; the others are compared with the first"}
    )

    models: Names = Field(
        (), description="Models, comma-separated; the others are compared with the first."
    )
    resume: str = Field(
        "",
        **operational(
            "Run id of an unfinished comparison to continue; latest: the newest of the same "
            "command, or a new one where that has finished."
        ),
    )

    @model_validator(mode="after")
    def _models_valid(self) -> CompareSpec:
        given = ",".join(self.models)
        if len(self.models) < 2 and not (is_resumed(self) and not self.models):
            raise ValueError(f"models={given}: name two or more, such as qwen2.5-3b,qwen2.5-7b")
        check_unrepeated("models", self.models)
        return self

    @model_validator(mode="after")
    def _uncalibrated(self) -> CompareSpec:
        for name, value in (("progress", self.progress), ("gains", self.gains)):
            if value == "measured":
                raise ValueError(f"{name}={value} needs a calibration: {OF_ONE_MODEL}")
        if self.calibration:
            raise ValueError(f"calibration={self.calibration}: {OF_ONE_MODEL}")
        return self

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        are_served = [model.startswith(SERVER) for model in self.models]
        if not any(are_served):
            yield "server_urls", f"needs {SERVER}NAME among models"
        elif all(are_served):
            reason = not_read_with(f"models={','.join(self.models)}")
            yield from ((name, reason) for name in OF_WEIGHTS)

    def sweep(self, model: str) -> SweepSpec:
        """The sweep of one of the models; it is no continuation of another."""
        shared = {**shared_fields(self, SweepSpec), "resume": ""}
        return build(SweepSpec, {**shared, "model": model})


class CalibrateSpec(TrackingFields, EpisodeFields, ModelFields, CorpusSpec, QuestionFields):
    """The exploration of one split, for strategies that look at the question.

    It holds at every price, so it takes none.
    """

    most_used: ClassVar[tuple[str, ...]] = (
        *SHARED_FIRST,
        "split",
        "max_steps",
        "explorations",
    )
    renamed: ClassVar[Mapping[str, str]] = STRATEGIES_ARE_POLICIES

    mode: ModeName = Field(
        "medium", description="Size: small 10 questions, medium 100, full 1000; 300 are enough."
    )
    split: Literal["calibration", "tune", "test", "all"] = Field(
        "calibration", description="Split to explore; what is tested on must be another."
    )
    difficulty: Literal["easy", "medium", "hard", "all"] = Field(
        "all", description="Difficulty of the questions; all for a mixture."
    )
    max_steps: int = Field(
        3, ge=1, le=8, description="Steps to explore: no policy fitted on it will go further."
    )
    explorations: int = Field(
        1,
        ge=0,
        description="Different random plans per question, beside retrieving and reasoning alone.",
    )
    policies: Names = Field(
        (),
        **left_out_at_default(
            "Strategies that it is for, comma-separated; empty: all. What only others look at "
            "(drafts, samples, retrievals of another size) is not explored."
        ),
    )

    def cell(self) -> CellSpec:
        """The cell whose pipeline explores; its strategy and prices play no part."""
        return CellSpec(**shared_fields(self, CellSpec), strategy="never")


def _split_bars(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split("|") if part.strip())
    return value


class AnswerSpec(
    CellFields,
    StoreFields,
    GateFields,
    CalibrationFields,
    ThresholdFields,
    EpisodeFields,
    ModelFields,
    CorpusSpec,
    SeedFields,
):
    """One question of the user's own."""

    most_used: ClassVar[tuple[str, ...]] = (
        "question",
        "choices",
        "strategy",
        "retrieval_cost",
        "calibration",
        "dataset",
        "documents",
        "model",
        "gpus",
        "max_steps",
    )

    question: str = Field("", **operational("The question to answer."))
    choices: Annotated[tuple[str, ...], BeforeValidator(_split_bars)] = Field(
        (), **operational("Choices to pick from, separated by |; empty for an open question.")
    )

    def cell(self) -> CellSpec:
        """The cell that the question is answered in; it is the only source of questions there."""
        return CellSpec(**shared_fields(self, CellSpec), questions=self.question)

    def unread(self) -> Iterator[tuple[str, str]]:
        """A calibration may bring the model whose servers are named."""
        brought = ("server_urls",) if self.calibration else ()
        yield from (own for own in super().unread() if own[0] not in brought)
