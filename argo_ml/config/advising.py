"""The spec of an advice: which study is made of the user's data, and what it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from argo_ml.config.base import (
    STRATEGIES_ARE_POLICIES,
    HelpSection,
    Names,
    Positive,
    PriceList,
    Spec,
    build,
    check_unrepeated,
    operational,
    shared_fields,
)
from argo_ml.config.commands import ReplaySpec
from argo_ml.config.experiment import SHARED_FIRST, CalibrateSpec, SweepSpec
from argo_ml.config.grading import GradingFields
from argo_ml.config.price_fields import RetrievalPriceFields
from argo_ml.config.run_fields import EpisodeFields, TrackingFields
from argo_ml.config.source_fields import CorpusSpec, ModelFields, ModeName, SeedFields

FIXED = ("never", "single", "always_retrieve", "always_reason")
"""Plans made before the question is seen, which are compared with whatever decides by it."""
ADAPTIVE = ("argo_fitted", "argo_advantage", "benefit_gate")
"""Policies that decide by the question, of which one may be advised at a price."""
ADVISED_PRICES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""In shares of a right answer."""
FEWEST_PRICES = 3
UNSET = ""
"""As a parameter: not given."""
STAGE_SIZES: Mapping[str, tuple[int, int, int]] = {
    "small": (30, 20, 40),
    "medium": (80, 50, 100),
    "full": (300, 200, 1000),
}
"""Mode -> questions of the calibration, tune and test split."""


OF_OUTCOMES = ("tune_share", "publish_as", "replace")
"""Parameters that an advice on recorded outcomes reads beside those of a replay."""


class BudgetFields(Spec):
    """What a study may take before it says what it has seen; empty: as much as it needs."""

    max_calls: int | None = Field(
        None, ge=1, **operational("Language-model calls to execute at most; cached ones are free.")
    )
    max_minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, **operational("Minutes to take at most.")
    )

    max_cost: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        **operational("Price to pay at most for calls that are executed, in your own unit."),
    )

    @property
    def has_budget(self) -> bool:
        return any(getattr(self, name) is not None for name in BudgetFields.model_fields)


class AdviseSpec(
    BudgetFields,
    RetrievalPriceFields,
    TrackingFields,
    EpisodeFields,
    ModelFields,
    CorpusSpec,
    SeedFields,
    GradingFields,
):
    """The study that says when retrieval pays for these questions, documents and this model."""

    section: ClassVar[HelpSection] = HelpSection.COMMAND
    most_used: ClassVar[tuple[str, ...]] = (
        *SHARED_FIRST,
        "outcomes",
        "retrieval_costs",
        "max_minutes",
    )
    refused: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "split": "all three are used, each for its own purpose",
            "calibration": "the study makes its own",
            "n_questions": "give n_calibration, n_tune or n_test",
        }
    )
    renamed: ClassVar[Mapping[str, str]] = STRATEGIES_ARE_POLICIES

    questions: str = Field(
        "",
        **operational("Folder of ORAN-Bench-13K or JSONL file; empty for atlas or once fetched."),
    )
    mode: ModeName = Field(
        "medium",
        description="Size: questions to calibrate on, to choose on and to confirm on: small 30, 20 "
        "and 40, medium 80, 50 and 100, full 300, 200 and 1000.",
    )
    difficulty: Literal["easy", "medium", "hard", "all"] = Field(
        "all", description="Difficulty of the questions; all for a mixture."
    )
    max_steps: int = Field(3, ge=1, le=8, description="Most steps of a policy.")
    outcomes: str = Field(
        "",
        **operational(
            "JSONL file of recorded outcomes (docs/replay.md) to advise on, without a model."
        ),
    )
    policies: Names = Field(
        (*FIXED, *ADAPTIVE),
        description="Strategies to choose among, comma-separated; of recorded outcomes those that "
        "there is data for.",
    )
    retrieval_costs: PriceList = Field(
        ADVISED_PRICES, description="Prices c_r of one retrieval to advise on, comma-separated."
    )
    reason_cost: Positive = Field(0.02, description="Price c_p of a reasoning step.")
    mu: Positive = Field(1.0, description="Weight of cost in utility.")
    explorations: int = Field(
        1, ge=0, description="Different random plans per question of the calibration split."
    )
    n_calibration: int | None = Field(
        None, ge=1, description="Questions to calibrate on; empty for the mode's."
    )
    n_tune: int | None = Field(
        None, ge=1, description="Questions to choose on; empty for the mode's."
    )
    n_test: int | None = Field(
        None, ge=1, description="Questions to confirm on; empty for the mode's."
    )
    calibration_share: float = Field(
        0.4, gt=0, lt=1, description="outcomes: share to calibrate on where no line says its split."
    )
    tune_share: float = Field(
        0.3, gt=0, lt=1, description="outcomes: share of the other questions to choose on."
    )
    repeated_questions: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="outcomes: questions of other splits whose text calibrates under another id: "
        "refuse the file, or leave_out of what is chosen and confirmed on.",
    )
    resume: str = Field(
        "",
        **operational(
            "Run id of an advice to go on with; latest: the newest of the same command, or "
            "a new one where that has finished."
        ),
    )
    until: Literal["all", "decided"] = Field(
        "all",
        description="all: confirm on every question of the test split; decided: on as many as it "
        "takes to tell whether deciding by the question pays, as sweep does.",
    )
    publish_as: str = Field(
        "",
        **operational(
            "Registered model that the advised policy becomes a version of (argo-ml publish); "
            "empty: none."
        ),
    )
    replace: bool = Field(
        False, **operational("publish_as: true: take its alias from the version that has it.")
    )

    @model_validator(mode="after")
    def _advice_possible(self) -> AdviseSpec:
        check_unrepeated("policies", self.policies)
        check_unrepeated("retrieval_costs", self.retrieval_costs)
        if self.dataset == "jsonl" and not self.questions and not self.outcomes:
            raise ValueError("dataset=jsonl needs questions=FILE.jsonl")
        if self.outcomes and self.until != "all":
            raise ValueError(
                f"until={self.until}: recorded outcomes are all judged, at no cost; leave it out"
            )
        if not self.retrieval_costs:
            raise ValueError("retrieval_costs is empty; give at least one price")
        money = self.money
        if self.max_cost is not None and not (money and money.prices_usage):
            raise ValueError(
                f"max_cost={self.max_cost:g} needs prices of tokens or seconds, such as "
                "price_per_1m_prompt_tokens, and value_of_correct"
            )
        return self

    @property
    def opens_model(self) -> bool:
        return not self.outcomes

    def unread(self) -> Iterator[tuple[str, str]]:
        if not self.publish_as:
            yield "replace", "needs publish_as"
        if not self.outcomes:
            yield from super().unread()
            recorded = ("calibration_share", "tune_share", "repeated_questions")
            yield from ((name, "needs outcomes") for name in recorded)
            return
        reason = "is not read with outcomes, which are judged as they were recorded; leave it out"
        read = {*ReplaySpec.model_fields, *BudgetFields.model_fields, *OF_OUTCOMES}
        yield from ((name, reason) for name in type(self).model_fields if name not in read)

    def size(self, split: str) -> int:
        """How many questions of a split are wanted."""
        given = {"calibration": self.n_calibration, "tune": self.n_tune, "test": self.n_test}[split]
        return given or STAGE_SIZES[self.mode][list(STAGE_SPLITS).index(split)]

    def calibrate(self, n_questions: int) -> CalibrateSpec:
        """The exploration of the calibration split."""
        return build(CalibrateSpec, {**self._of_stage(CalibrateSpec, "calibration", n_questions)})

    def sweep(
        self, split: str, n_questions: int, strategies: tuple[str, ...], calibration: str
    ) -> SweepSpec:
        """A sweep of one split at all prices."""
        own = {
            **self._prices(),
            "strategies": strategies,
            "calibration": calibration,
            "resume": "",
            "until": self.until if split == "test" else "all",
            # What is only chosen on is nobody's to look through.
            "traces": SweepSpec.model_fields["traces"].default if split == "test" else 0,
        }
        return build(SweepSpec, {**self._of_stage(SweepSpec, split, n_questions), **own})

    def _prices(self) -> dict[str, object]:
        """The prices to advise on, in the unit of the spec.

        To say below which price retrieving pays takes more than one or two: those of the user's
        are joined by shares of what is at stake.
        """
        money = self.money
        if money is None:
            return {"retrieval_costs": self.retrieval_costs}
        given = self.price_per_retrieval
        if len(given) < FEWEST_PRICES:
            shares = tuple(float(f"{share * money.stake:.3g}") for share in ADVISED_PRICES)
            given = tuple(sorted({*given, *shares}))
        return {"retrieval_costs": UNSET, "price_per_retrieval": given}

    def _of_stage(
        self, spec_type: type[CalibrateSpec] | type[SweepSpec], split: str, n_questions: int
    ) -> dict[str, object]:
        shared = shared_fields(self, spec_type)
        return {**shared, "split": split, "n_questions": n_questions}

    def replay(self) -> ReplaySpec:
        """The replay of recorded outcomes, of which a part is chosen on and the other confirmed.

        They are of no model but the one that is named.
        """
        shared = shared_fields(self.of_named_model(), ReplaySpec)
        return build(ReplaySpec, {**shared, **self._prices()})

    def of_named_model(self) -> AdviseSpec:
        """The spec without the model that it has by default where outcomes are recorded."""
        is_named = not self.outcomes or "model" in self.model_fields_set
        return self if is_named else self.model_copy(update={"model": UNSET})


STAGE_SPLITS = ("calibration", "tune", "test")
