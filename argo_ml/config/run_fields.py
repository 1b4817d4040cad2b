"""Groups of fields about what is done: episodes, decisions, and how they are run and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.base import (
    HelpSection,
    Names,
    Positive,
    PriceList,
    Probability,
    Spec,
    check_unrepeated,
    not_read_with,
    operational,
)
from argo_ml.config.price_fields import PRICES_MISSING, NotNegative, RetrievalPriceFields
from argo_ml.config.source_fields import DatabaseFields, DeviceFields
from argo_ml.config.strategy_fields import StrategyFields
from argo_ml.mdp.process import MDPSpec

DEFAULT_STRATEGIES = ("argo", "always_retrieve", "always_reason", "random", "never", "single")
"""The original study's four first, which its graphs draw, then those whose difference is what one
retrieval does."""


GIVEN_SIMILARITY = 0.3
"""What ``min_similarity`` is where it is not measured: for the documents that data sets bring, on
which earlier results stand, and for a corpus too small to measure on."""


def _unset_if_auto(value: object) -> object:
    return None if value == "auto" else value


class StepFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.EPISODE

    top_k: int = Field(3, ge=1, description="Passages per retrieval.")
    min_similarity: Annotated[float | None, BeforeValidator(_unset_if_auto)] = Field(
        None,
        ge=-1,
        le=1,
        description="A passage counts as found from this similarity on; empty or auto: as "
        "measured on documents of your own, else 0.3.",
    )
    channel_success_rate: Probability = Field(
        1.0, description="Share of successful retrievals kept (the original's channel loss)."
    )
    max_steps: int = Field(20, ge=1, description="Step limit (decomposition depth).")
    max_new_tokens: int | None = Field(
        None, ge=1, description="Tokens per generation; empty: 24 for the embedded model, else 50."
    )
    evidence_tokens: int = Field(
        384, ge=0, description="Token budget of the evidence in the synthesizer's prompt."
    )

    @property
    def similarity_limit(self) -> float:
        """``min_similarity`` as a number; `GIVEN_SIMILARITY` where nobody has measured."""
        return GIVEN_SIMILARITY if self.min_similarity is None else self.min_similarity


class AnsweringFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.EPISODE

    answering: Literal["likelihood", "number"] = Field(
        "likelihood", description="How choices are answered: scored by likelihood, or by number."
    )


class EpisodeFields(AnsweringFields, StepFields):
    """How a question is answered step by step."""


STEEP = ("saturating", "sigmoid")
"""Qualities that have a steepness."""
OF_GAINS = ("delta_r", "delta_p", "p_s")
"""Parameters that a calibration measures."""


class MDPFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.PROCESS

    delta_r: Positive = Field(0.25, description="Progress of a successful retrieval.")
    delta_p: Positive = Field(0.08, description="Progress of a reasoning step.")
    p_s: Probability = Field(0.8, description="Success probability of a retrieval in the MDP.")
    reason_cost: Positive = Field(0.02, description="Price c_p of a reasoning step.")
    mu: float = Field(1.0, ge=0, allow_inf_nan=False, description="Weight of cost in utility.")
    policy_mu: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Weight of cost that policies decide by; empty: mu.",
    )
    gamma: Probability = Field(0.98, description="Discount per step.")
    u_max: Positive = Field(1.0, description="Largest progress.")
    quality: Literal["linear", "sqrt", "saturating", "sigmoid"] = Field(
        "linear", description="Quality sigma(U / u_max) of stopping."
    )
    alpha: Positive = Field(3.0, description="Steepness of the saturating and sigmoid qualities.")

    @model_validator(mode="after")
    def _process_solvable(self) -> MDPFields:
        self.mdp(self.reason_cost)
        return self

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.quality not in STEEP:
            yield "alpha", f"needs quality={' or '.join(STEEP)}"

    def mdp(self, retrieval_cost: float) -> MDPSpec:
        return MDPSpec(
            retrieval_cost=retrieval_cost,
            reason_cost=self.reason_cost,
            delta_r=self.delta_r,
            delta_p=self.delta_p,
            p_s=self.p_s,
            mu=self.mu if self.policy_mu is None else self.policy_mu,
            gamma=self.gamma,
            u_max=self.u_max,
            quality=self.quality,
            alpha=self.alpha,
        )


class ThresholdFields(MDPFields):
    """The user's own thresholds, for fixed_threshold."""

    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    theta_cont: float | None = Field(
        None, ge=0, description="fixed_threshold: retrieve below this progress."
    )
    theta_star: float | None = Field(
        None, ge=0, description="fixed_threshold: stop at this progress."
    )

    @model_validator(mode="after")
    def _thresholds_ordered(self) -> ThresholdFields:
        low, high = self.theta_cont, self.theta_star
        if low is not None and high is not None and low > high:
            raise ValueError(f"theta_cont={low} must not exceed theta_star={high}")
        if high is not None and high > self.u_max:
            raise ValueError(f"theta_star={high} must not exceed u_max={self.u_max}")
        return self


class CalibrationFields(Spec):
    """What strategies need that look at the question."""

    section: ClassVar[HelpSection] = HelpSection.CALIBRATION

    calibration: str = Field(
        "",
        **operational(
            "Run id of argo-ml calibrate, or its calibration.json; for strategies that need it."
        ),
    )
    progress: Literal["fixed", "measured"] = Field(
        "fixed",
        description="fixed: gains per step (the original's); measured: u_max x probability that "
        "the answer now is right.",
    )
    gains: Literal["given", "measured"] = Field(
        "given", description="delta_r, delta_p and p_s: as given, or as the calibration measured."
    )
    probe_cost: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of a model call that only serves a decision.",
    )

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.gains == "measured":
            reason = not_read_with("gains=measured")
            yield from ((name, reason) for name in OF_GAINS)

    @property
    def wants_calibration(self) -> bool:
        """Whether its fields alone need one, whatever the strategy."""
        return "measured" in (self.progress, self.gains)

    @property
    def steps_gain_as_measured(self) -> bool:
        """Whether a step adds to progress what the calibration measured; earlier versions added
        the given gains there, so that this belongs to what cells are known by."""
        return (self.progress, self.gains) == ("fixed", "measured")


class GateFields(StrategyFields):
    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    gate_budget: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of questions that gates may retrieve for; empty: what pays at the "
        "price.",
    )
    abstain_below: float | None = Field(
        None, ge=0, le=1, description="graded: abstain below this probability; empty: never."
    )


class OracleFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.STRATEGY_SETTINGS

    oracle_steps: int = Field(
        2, ge=0, le=6, description="oracle: tries every sequence of so many actions."
    )


class AdaptiveFields(OracleFields, GateFields, CalibrationFields):
    """What was added for strategies that look at the question; cells of before have none of it."""


class DecisionFields(AdaptiveFields, ThresholdFields):
    """What strategies decide by."""


class StoreFields(DatabaseFields):
    section: ClassVar[HelpSection] = HelpSection.TRACKING

    experiment: str = Field(
        "",
        **operational(
            "MLflow experiment; empty: that of mlflow run, MLFLOW_EXPERIMENT_ID or "
            "MLFLOW_EXPERIMENT_NAME, else argo_ml."
        ),
    )
    tracking_uri: str = Field(
        "", **operational("MLflow tracking URI; empty for MLflow's own default.")
    )


class ShardFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.EXECUTION

    shard_size: int = Field(
        10,
        ge=1,
        **operational(
            "Questions per shard: what runs together and is logged together. Further shards run "
            "beside it, as many as the model or server works on at once."
        ),
    )


class UnansweredFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.EXECUTION

    max_unanswered: float = Field(
        0.01,
        ge=0,
        le=1,
        **operational(
            "Share of questions that may count as wrong because the model does not take them (too "
            "long, or refused by a server), and at least one; 0: none."
        ),
    )


class TrackingFields(UnansweredFields, ShardFields, StoreFields):
    """Where results are kept, how many questions at a time, and how many may be left out."""


class ExecutorFields(Spec):
    """Who runs the shards of a sweep."""

    section: ClassVar[HelpSection] = HelpSection.EXECUTION

    executor: Literal["local", "ray"] | None = Field(
        None, **operational("local or empty: this process; ray: workers with a model each.")
    )
    workers: int | None = Field(
        None,
        ge=1,
        **operational("ray: workers; empty: as many as there are GPUs for, else one per machine."),
    )
    gpus_per_worker: int | None = Field(
        None, ge=0, **operational("ray: GPUs of each worker; empty: 1 where there are GPUs.")
    )
    ray_address: str = Field(
        "", **operational("ray: auto or HOST:PORT of a cluster; empty: start Ray here.")
    )

    @model_validator(mode="after")
    def _ray_wanted(self) -> ExecutorFields:
        for name in ("workers", "gpus_per_worker", "ray_address"):
            value = getattr(self, name)
            if self.executor != "ray" and value not in (None, ""):
                raise ValueError(f"{name}={value} needs executor=ray")
        return self

    @model_validator(mode="after")
    def _address_readable(self) -> ExecutorFields:
        host, _, port = self.ray_address.rpartition(":")
        if self.ray_address not in ("", "auto") and not (host and port.isdecimal()):
            raise ValueError(f"ray_address={self.ray_address} must be auto or HOST:PORT")
        return self


class WorkerFields(ExecutorFields, DeviceFields):
    """Who runs the shards of a sweep, on which devices."""

    @model_validator(mode="after")
    def _worker_gpus_wanted(self) -> WorkerFields:
        n_gpus = self.gpus_per_worker
        refused = {"cpu": n_gpus, "cuda": n_gpus == 0}
        if refused.get(self.device):
            raise ValueError(
                f"gpus_per_worker={n_gpus} does not go with device={self.device}; leave one out"
            )
        return self


class CellFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.STRATEGIES

    strategy: str = Field("argo", description="Policy that decides each step.")
    retrieval_cost: NotNegative = Field(
        0.11, description="Price c_r of one retrieval; 0 only with prices in your own unit."
    )

    @model_validator(mode="after")
    def _price_above_zero(self) -> CellFields:
        """In a unit of one's own a retrieval costs tokens as well, and may cost nothing else."""
        if self.retrieval_cost <= 0 and getattr(self, "value_of_correct", None) is None:
            raise ValueError(f"retrieval_cost={self.retrieval_cost:g}: must be greater than 0")
        return self


class GridFields(RetrievalPriceFields):
    section: ClassVar[HelpSection] = HelpSection.STRATEGIES
    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({"policies": "strategies"})

    strategies: Names = Field(DEFAULT_STRATEGIES, description="Strategies, comma-separated.")
    retrieval_costs: PriceList = Field(
        (), description="Prices c_r, comma-separated; empty: n_prices from 1 to 10 x reason_cost."
    )
    n_prices: int | None = Field(None, ge=1, description="Number of prices; empty for the mode's.")

    @model_validator(mode="after")
    def _grid_valid(self) -> GridFields:
        check_unrepeated("strategies", self.strategies)
        check_unrepeated("retrieval_costs", self.retrieval_costs)
        if self.money is not None and not self.price_per_retrieval:
            raise ValueError(PRICES_MISSING.format(worth=self.value_of_correct))
        return self

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.retrieval_costs:
            yield "n_prices", not_read_with("retrieval_costs")
