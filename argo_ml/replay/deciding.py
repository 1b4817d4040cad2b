"""What policies decide about recorded questions, at every price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from argo_ml.calibration.plans import NONE, ONCE, SIZED, sized
from argo_ml.config import GuaranteeFields, Promise, ReplaySpec, read_guarantee
from argo_ml.errors import ConfigError, DataError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import Policy, make_policy
from argo_ml.policies.base import Decision, Probe, State, required_probes_of
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates import Gate, Signal, SignalReading
from argo_ml.policies.gates.base import make_gate
from argo_ml.policies.oracle import Oracle
from argo_ml.policies.strategies import find_strategy, strategy_parameters
from argo_ml.progress import DECISIONS, OnProgress, ignore_progress
from argo_ml.randomness import deferred_rng
from argo_ml.replay.calibrating import HORIZON, RecordedCalibration, ReplayState
from argo_ml.replay.charging import Charges, Charging, price_of_actions
from argo_ml.replay.needs import missing
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.row_tables import RowTables
from argo_ml.replay.rows import ReplayDecision, question_row
from argo_ml.replay.walking import Walker
from argo_ml.results.records import PolicyTable, QuestionResult
from argo_ml.results.row_files import RowKeeper
from argo_ml.sweep.cells import policy_table
from argo_ml.types import Action, Prices, Question, StopReason

SINGLE_PLANS = (NONE, ONCE, *SIZED)
"""What a policy that decides once can come to, the cheapest first."""

KnownRows = dict[tuple[str, ReplayDecision], QuestionResult]
"""Rows by question and decision, but for the price."""


@dataclass(frozen=True, slots=True)
class DecidedCell:
    """One policy at one price, with its decision about every question and the row it led to."""

    strategy: str
    retrieval_cost: float
    policy: Policy
    table: PolicyTable
    decisions: tuple[ReplayDecision, ...]
    rows: Sequence[QuestionResult]


@dataclass(frozen=True, slots=True)
class Learned:
    """What recorded questions taught: ``at_once`` of what stands before the first step, and
    ``stepwise`` of everything to ``horizon`` steps."""

    at_once: RecordedCalibration
    stepwise: RecordedCalibration
    horizon: int


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
    keeper, tables, cells = RowKeeper(n_decisions), RowTables(tested), []
    for name in policies:
        for cell in _decide_policy(name, spec, learned, charging, tested, keeper, tables):
            cells.append(cell)
            on_progress(DECISIONS, len(cells) * len(tested), n_decisions)
    return cells


def _decide_policy(
    name: str,
    spec: ReplaySpec,
    learned: Learned,
    charging: Charging,
    tested: Sequence[ReplayState],
    keeper: RowKeeper,
    tables: RowTables,
) -> Iterator[DecidedCell]:
    policy: Policy | None = None
    known: KnownRows = {}
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
            decisions = decide_questions(policy, tested, spec.seed, process.prices.scaled(spec.mu))
        else:
            walker = Walker(policy, process, learned.horizon, spec.seed, who)
            decisions = walker.walks(tested)
        for state, decision in zip(tested, decisions, strict=True):
            _check_recorded(state.recorded, decision, who)
        if decides_once and keeper.keeps_tables and charges.tariff is None:
            rows = keeper.keep_table(tables.cell(decisions, charges.expected))
        else:
            rows = keeper.keep(
                _row(state.recorded, decision, charges, known)
                for state, decision in zip(tested, decisions, strict=True)
            )
        table = policy_table(solution, policy)
        yield DecidedCell(name, price, policy, table, tuple(decisions), rows)


def is_decided_at_once(name: str, spec: GuaranteeFields) -> bool:
    """Whether it decides before the first step alone; a gate that may withhold its answer does
    not."""
    strategy = find_strategy(name)
    if strategy.is_gate and spec.guarantee:
        return read_guarantee(spec.guarantee).promise is not Promise.ERRORS
    return strategy.decides_once or strategy.is_ceiling


def _check_recorded(recorded: RecordedQuestion, decision: ReplayDecision, who: str) -> None:
    if decision.plan not in recorded.outcomes and not decision.abstains:
        raise DataError(missing(recorded, decision.plan, who))


def _row(
    recorded: RecordedQuestion, decision: ReplayDecision, charges: Charges, known: KnownRows
) -> QuestionResult:
    key = recorded.id, decision
    if key not in known:
        known[key] = question_row(recorded, decision)
    row = known[key]
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
    return replace(policy, signal=Remembered(policy.signal)) if isinstance(policy, Gate) else policy


def decide_questions(
    policy: Policy, tested: Sequence[ReplayState], seed: int, prices: Prices
) -> tuple[ReplayDecision, ...]:
    """What the policy decides about each question; ``prices`` are in units of accuracy.

    Raises `ConfigError` for an action of which no outcome is recorded.
    """
    if isinstance(policy, Oracle):
        return tuple(ReplayDecision(best_recorded_plan(own.recorded, prices)) for own in tested)
    required_probes = required_probes_of(policy)
    decisions = []
    for state in (own.state for own in tested):
        decision = policy.decide(state, deferred_rng(seed, state.question.id, 0, "policy"))
        has_probed_answer = Probe.ANSWER in required_probes(state)
        abstains = decision.stop_reason is StopReason.ABSTAIN
        decisions.append(
            ReplayDecision(_plan(decision), decision.expected, has_probed_answer, abstains)
        )
    return tuple(decisions)


def _plan(decision: Decision) -> str:
    if decision.action is Action.STOP:
        return NONE
    if decision.action is not Action.RETRIEVE or decision.query is not None:
        raise ConfigError(f"action={decision.action.value}: no such outcome is recorded")
    return ONCE if decision.top_k is None else sized(decision.top_k)


def best_recorded_plan(recorded: RecordedQuestion, prices: Prices) -> str:
    """The plan of the largest utility among all that are recorded and known in price; of equals the
    shortest, and of these the first of `SINGLE_PLANS`."""
    actions = {
        plan: recorded.actions(plan)
        for plan in (*SINGLE_PLANS, *recorded.outcomes)
        if plan in recorded.outcomes
    }
    payable = {plan: taken for plan, taken in actions.items() if taken is not None}

    def utility(plan: str) -> float:
        return recorded.outcomes[plan].correct - price_of_actions(payable[plan], prices)

    return max(sorted(payable, key=lambda plan: len(payable[plan])), key=utility)
