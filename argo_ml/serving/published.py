"""The files of a published policy: JSON alone, read without running anything of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.parsing import parse_record
from argo_ml.results.artifacts import CALIBRATION, STEPWISE_CALIBRATION
from argo_ml.results.records import Identifier, Record
from argo_ml.results.stored import naming, stored_record

POLICY = "policy.json"
FOLDER = "policy"
"""Name of the folder of both files among the artifacts of a model."""


class StrategyRange(Record):
    """The strategy that decides at prices from ``low`` on and below ``high``; None is no bound."""

    strategy: str
    low: float = 0.0
    high: float | None = None

    def has(self, price: float) -> bool:
        return self.low <= price and (self.high is None or price < self.high)


class SweptPrice(Record):
    """What the sweep has seen of the policy at one price: what to expect of it in use."""

    retrieval_cost: float
    strategy: str
    accuracy: float
    utility: float
    retrieval_calls: float
    retrieval_share: float
    """Share of the questions that it retrieved for."""
    confidence: float | None = None
    """Mean of p-hat of the answers given; None where the strategy has none."""


class PublishedPolicy(Record):
    """Everything that a served policy is made of, beside the calibration.

    ``spec`` is of a cell, without passwords; ``digests`` are of questions, corpus, model, prompts
    and calibration. ``answer`` is the sweep's, a line per sentence. ``example`` is one of its
    questions.
    """

    schema_version: int = 1
    sweep_id: Identifier
    experiment_id: str
    argo_ml: str
    spec: Mapping[str, Any]
    digests: Mapping[str, str]
    ranges: tuple[StrategyRange, ...]
    prices: tuple[SweptPrice, ...]
    default_price: float
    trace_sampling: float
    n_questions: int
    answer: str
    example: Mapping[str, Any]
    decides_only: bool = False
    """Whether it is of recorded outcomes: there is nothing to answer with."""

    def strategy_at(self, price: float) -> str:
        """The strategy that decides at a price; beyond all ranges that of the nearest."""
        inside = [part.strategy for part in self.ranges if part.has(price)]
        return inside[0] if inside else self.ranges[-1].strategy

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.strategy for part in self.ranges))


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """What a model holds; ``stepwise`` is the calibration of those policies of recorded outcomes
    that decide step by step."""

    published: PublishedPolicy
    calibration: Calibration | None = None
    stepwise: Calibration | None = None


def write_policy(files: PolicyFiles, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    records = {
        POLICY: files.published.model_dump_json(indent=1),
        CALIBRATION: files.calibration and files.calibration.model_dump_json(),
        STEPWISE_CALIBRATION: files.stepwise and files.stepwise.model_dump_json(),
    }
    for name, text in records.items():
        if text:
            (folder / name).write_text(text, encoding="utf-8")


def read_policy(folder: Path) -> PolicyFiles:
    """Raises `DataError` for files that are damaged and `ConfigError` for no published policy."""
    if not (folder / POLICY).is_file():
        raise ConfigError(f"{folder} holds no {POLICY}; publish one with argo-ml publish")
    published = stored_record(folder / POLICY, PublishedPolicy, "")
    names = (CALIBRATION, STEPWISE_CALIBRATION)
    return PolicyFiles(published, *(_calibration(folder / name) for name in names))


def _calibration(path: Path) -> Calibration | None:
    if not path.is_file():
        return None
    with naming(path.name, ""):
        return parse_record(Calibration, path.read_bytes())
