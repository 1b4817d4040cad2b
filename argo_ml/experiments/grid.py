"""Cells ready to run, and one shard of questions run through all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from argo_ml.calibration.gains import usable_gains
from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec
from argo_ml.engine import Engine
from argo_ml.engine.shards import Shard
from argo_ml.experiments.hindsight import run_pairs
from argo_ml.experiments.journal import ShardRecord
from argo_ml.experiments.results import PolicyTable
from argo_ml.experiments.trajectories import (
    cited_passages,
    passage_record,
    question_result,
    trajectory,
)
from argo_ml.pipeline import Known, Pipeline, build_pipeline, run_episode
from argo_ml.pipeline.requests import Requesting
from argo_ml.policies import Policy, make_policy
from argo_ml.policies.base import State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.evaluation import ProgressPolicy, policy_value
from argo_ml.policies.mdp import MDPSpec, Solution, solve
from argo_ml.policies.thresholds import ThresholdPolicy
from argo_ml.types import Outcome, Question

if TYPE_CHECKING:
    from argo_ml.experiments.workbench import Bench


@dataclass(frozen=True, slots=True)
class Cell:
    spec: CellSpec
    id: str
    policy: Policy
    pipeline: Pipeline
    table: PolicyTable

    @property
    def name(self) -> str:
        return f"{self.spec.strategy} c_r={self.spec.retrieval_cost:g}"


def prepare_cells(specs: Sequence[CellSpec], bench: Bench) -> list[Cell]:
    """Solve each price once and give every cell its policy."""
    solutions: dict[MDPSpec, Solution] = {}
    calibration = bench.calibration
    cells = []
    for spec in specs:
        mdp = cell_process(spec, calibration)
        if mdp not in solutions:
            solutions[mdp] = solve(mdp)
        policy = cell_policy(spec, solutions[mdp], calibration)
        cells.append(
            Cell(
                spec=spec,
                id=spec.cell_id(bench.digests),
                policy=policy,
                pipeline=build_pipeline(spec, bench.count_tokens, measure(spec, calibration)),
                table=policy_table(solutions[mdp], policy),
            )
        )
    return cells


def cell_process(spec: CellSpec, calibration: Calibration | None) -> MDPSpec:
    """The process at the cell's price, with the gains that were measured where they are wanted."""
    given = spec.mdp(spec.retrieval_cost)
    if spec.gains == "given" or calibration is None:
        return given
    gains = usable_gains(calibration, given.u_max)
    return replace(given, delta_r=gains.delta_r, delta_p=gains.delta_p, p_s=gains.p_s)


def measure(spec: CellSpec, calibration: Calibration | None) -> Callable[[State], float] | None:
    """Progress as u_max x p-hat, where it is to be measured."""
    if spec.progress == "fixed" or calibration is None:
        return None
    confidence, u_max = calibration.confidence, spec.u_max
    return lambda state: u_max * confidence(state)


def cell_policy(
    spec: CellSpec, solution: Solution, calibration: Calibration | None = None
) -> Policy:
    context = PolicyContext(
        solution,
        spec.theta_cont,
        spec.theta_star,
        max_steps=spec.max_steps,
        probe_cost=spec.probe_cost,
        gate_budget=spec.gate_budget,
        abstain_below=spec.abstain_below,
        oracle_steps=spec.oracle_steps,
        calibration=calibration,
    )
    return make_policy(spec.strategy, context)


def policy_table(solution: Solution, policy: Policy) -> PolicyTable:
    """The solved process, and what acting by ``policy`` is worth in it."""
    value = policy_value(solution.spec, policy) if isinstance(policy, ProgressPolicy) else None
    thresholds = policy if isinstance(policy, ThresholdPolicy) else None
    return PolicyTable(
        states=solution.states,
        value=solution.value,
        q_retrieve=solution.q_retrieve,
        q_reason=solution.q_reason,
        q_stop=solution.q_stop,
        actions=tuple(action.value for action in solution.actions),
        theta_cont=thresholds and thresholds.theta_cont,
        theta_star=thresholds and thresholds.theta_star,
        policy_value=value,
        policy_regret=None if value is None else solution.optimal_value - value,
    )


def episodes(
    pairs: Iterable[tuple[Cell, Question]], known: defaultdict[Hashable, Known]
) -> list[Requesting[Outcome]]:
    """An episode of each cell and question; those that may share what is known do."""
    return [
        run_episode(
            question, cell.policy, cell.pipeline, known[question.id, cell.pipeline.knowledge]
        )
        for cell, question in pairs
    ]


def run_shard(
    shard: Shard,
    cells: Sequence[Cell],
    engine: Engine,
    on_progress: Callable[[int], None],
) -> ShardRecord:
    """All cells for the shard's questions; ``on_progress`` is told the episodes finished so far."""
    pairs = [(cell, question) for cell in cells for question in shard.questions]
    finished = run_pairs(pairs, engine, defaultdict(Known), on_progress)
    record = ShardRecord(
        results={cell.id: [] for cell in cells},
        trajectories={cell.id: [] for cell in cells},
        passages={
            key: passage_record(passage)
            for key, passage in cited_passages(done.outcome for done in finished).items()
        },
        paid={cell.id: [] for cell in cells},
    )
    for (cell, question), done in zip(pairs, finished, strict=True):
        record.results[cell.id].append(question_result(question, done))
        record.trajectories[cell.id].append(trajectory(question, done.outcome))
        record.paid[cell.id].append([engine.key(request) for request in done.paid])
    return record
