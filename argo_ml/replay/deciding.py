"""What policies decide about recorded questions, at every price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.config import GuaranteeFields, Promise, ReplaySpec, read_guarantee
from argo_ml.errors import DataError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import Policy, make_policy
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates import Gate, Signal, SignalReading
from argo_ml.policies.gates.base import make_gate
from argo_ml.policies.strategies import find_strategy, strategy_parameters
from argo_ml.progress import DECISIONS, OnProgress, ignore_progress
from argo_ml.replay.at_once import AtOnce
from argo_ml.replay.calibrating import HORIZON, RecordedCalibration, ReplayState
from argo_ml.replay.charging import Charges, Charging
from argo_ml.replay.decision_columns import DecisionColumns
from argo_ml.replay.foresight import Foresight
from argo_ml.replay.needs import LEAVE_OUT, missing
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.row_tables import RowTables
from argo_ml.replay.rows import ReplayDecision, question_row
from argo_ml.replay.walking import Walker
from argo_ml.results.records import PolicyTable, QuestionResult
from argo_ml.results.row_files import RowKeeper
from argo_ml.statistics.one_thread import one_thread
from argo_ml.sweep.cells import policy_table
from argo_ml.types import Question

RowsByDecision = dict[tuple[str, ReplayDecision], QuestionResult]
"""Rows by question and decision, but for their cost."""


@dataclass(frozen=True, slots=True)
class KnownRows:
    """The rows of one price, and of the price before it, at which most decisions are the same.

    Those of all prices would take gigabytes of large replays, whose rows go to disk.
    """

    now: RowsByDecision = field(default_factory=dict)
    before: RowsByDecision = field(default_factory=dict)

    def row(self, recorded: RecordedQuestion, decision: ReplayDecision) -> QuestionResult:
        key = recorded.id, decision
        self.now[key] = self.before.get(key) or question_row(recorded, decision)
        return self.now[key]

    def at_next_price(self) -> KnownRows:
        return KnownRows(before=self.now)


@dataclass(frozen=True, slots=True)
class DecidedCell:
    """One policy at one price, with its decision about every question and the row it led to."""

    strategy: str
    retrieval_cost: float
    policy: Policy
    table: PolicyTable
    decisions: Sequence[ReplayDecision]
    rows: Sequence[QuestionResult]


@dataclass(frozen=True, slots=True)
class Learned:
    """What recorded questions taught: ``at_once`` of what stands before the first step, and
    ``stepwise`` of everything to ``horizon`` steps."""

    at_once: RecordedCalibration
    stepwise: RecordedCalibration
    horizon: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions that are tested on, and what decides about them and keeps the rows."""

    tested: Sequence[ReplayState]
    at_once: AtOnce
    keeper: RowKeeper
    tables: RowTables


@one_thread()
def decide_all(
    policies: Sequence[str],
    spec: ReplaySpec,
    learned: Learned,
    charging: Charging,
    tested: Sequence[ReplayState],
    on_progress: OnProgress = ignore_progress,
) -> list[DecidedCell]:
    """The cells by policy, then by price ascending.

    Raises `DataError` where a chosen outcome is missing.
    """
    n_decisions = len(policies) * len(spec.prices) * len(tested)
    asked = Asked(tested, AtOnce(tested, spec.seed), RowKeeper(n_decisions), RowTables(tested))
    cells: list[DecidedCell] = []
    for name in policies:
        for cell in _decide_policy(name, spec, learned, charging, asked):
            cells.append(cell)
            on_progress(DECISIONS, len(cells) * len(tested), n_decisions)
    return cells


def _decide_policy(
    name: str,
    spec: ReplaySpec,
    learned: Learned,
    charging: Charging,
    asked: Asked,
) -> Iterator[DecidedCell]:
    policy: Policy | None = None
    known, foresight = KnownRows(), Foresight()
    decides_once = is_decided_at_once(name, spec)
    for price in spec.prices:
        charges = charging.at(price)
        process = MDPSpec(charges.expected.retrieve, charges.expected.reason, mu=spec.mu)
        solution, who = solve(process), f"{name} chose at retrieval_cost={price:g}"
        context = PolicyContext(
            solution,
            strategy_parameters(name, spec),
            max_steps=HORIZON if decides_once else learned.horizon,
            probe_cost=charges.expected.probe,
            calibration=learned.at_once if decides_once else learned.stepwise,
        )
        policy = policy_at(name, context, policy)
        decisions: Sequence[ReplayDecision]
        if decides_once:
            decisions = asked.at_once.decisions(name, policy, charges, spec.mu)
        else:
            walker = Walker(policy, process, learned.horizon, spec.seed, who, foresight)
            decisions = walker.walks(asked.tested)
        _check_recorded(asked.tested, decisions, who)
        known = known.at_next_price()
        rows = _rows(asked, decisions, charges, known)
        yield DecidedCell(name, price, policy, policy_table(solution, policy), decisions, rows)


def _rows(
    asked: Asked, decisions: Sequence[ReplayDecision], charges: Charges, known: KnownRows
) -> Sequence[QuestionResult]:
    is_table = asked.keeper.keeps_tables and charges.tariff is None
    if is_table and isinstance(decisions, DecisionColumns):
        return asked.keeper.keep_table(asked.tables.cell(decisions, charges.expected))
    return asked.keeper.keep(
        _row(state.recorded, decision, charges, known)
        for state, decision in zip(asked.tested, decisions, strict=True)
    )


def is_decided_at_once(name: str, spec: GuaranteeFields) -> bool:
    """Whether it decides before the first step alone; a gate that may withhold its answer does
    not."""
    strategy = find_strategy(name)
    if strategy.is_gate and spec.guarantee:
        return read_guarantee(spec.guarantee).promise is not Promise.ERRORS
    return strategy.decides_once or strategy.is_ceiling


def _check_recorded(
    tested: Sequence[ReplayState], decisions: Sequence[ReplayDecision], who: str
) -> None:
    # Every line has these outcomes.
    if isinstance(decisions, DecisionColumns) and decisions.plans <= {NONE, ONCE}:
        return
    for own, decision in zip(tested, decisions, strict=True):
        if decision.plan not in own.recorded.outcomes:
            raise DataError(f"{missing(own.recorded, decision.plan, who)}, {LEAVE_OUT}")


def _row(
    recorded: RecordedQuestion, decision: ReplayDecision, charges: Charges, known: KnownRows
) -> QuestionResult:
    row = known.row(recorded, decision)
    if not row.actions and charges.tariff is None:
        return row
    return row.model_copy(update={"cost": charges.of(recorded, decision, row)})


@dataclass(frozen=True, slots=True)
class Remembered:
    """A signal that reads every question once."""

    signal: Signal
    readings: dict[str, SignalReading] = field(default_factory=dict, compare=False)

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return self.signal.required_probes(question)

    def read(self, state: State) -> SignalReading:
        key = state.question.id
        if key not in self.readings:
            self.readings[key] = self.signal.read(state)
        return self.readings[key]


def policy_at(name: str, context: PolicyContext, elsewhere: Policy | None) -> Policy:
    """The policy at the price of ``context``; ``elsewhere`` is the same at another price.

    What a gate reads does not depend on the price, so that only its threshold is chosen anew.
    """
    if isinstance(elsewhere, Gate):
        return make_gate(context, elsewhere.signal, elsewhere.calibration_scores)
    policy = make_policy(name, context)
    if isinstance(policy, Gate) and policy.trust is not None:
        return replace(policy, signal=Remembered(policy.signal))
    return policy
