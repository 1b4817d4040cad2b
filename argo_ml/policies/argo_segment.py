"""ARGO by segments: the plan that pays best for questions of a kind, without asking any model.

What each plan adds to answering at once is estimated by segment, every level shrunk towards the one
above by its variance. A chain of levels is used at a price only if plans chosen by it are worth
more than one plan for all on questions that neither was made from.
"""

from __future__ import annotations

import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argo_ml.calibration.exploration import N_EXPLORATION_FOLDS, Exploration
from argo_ml.policies.base import Decision, State
from argo_ml.policies.best_plan import ROUNDING
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.plan_outcomes import Floats, Plan, PlanOutcomes, plan_outcomes
from argo_ml.policies.segments import Chain, Path, chains, path_of, paths
from argo_ml.statistics.shrinkage import shrunk_means
from argo_ml.types import Action, Expectation, Prices, StopReason

ALL: Path = ()
"""The segment of all questions."""


@dataclass(frozen=True, slots=True)
class ArgoSegment:
    """Follows the best plan of the question's segment; of one never seen, that of the level above.

    ``benefits`` are by segment and plan, before its price; ``costs`` are the prices of the plans.
    """

    chain: Chain
    plans: tuple[Plan, ...]
    costs: tuple[float, ...]
    benefits: Mapping[Path, tuple[float, ...]]

    def decide(self, state: State, rng: random.Random) -> Decision:
        n_steps = len(state.steps)
        segment = self.segment(state)
        plan = self.plan(segment)
        if n_steps >= len(plan):
            return Decision(Action.STOP, StopReason.POLICY, expected=Expectation(gain=0.0))
        gain = self._net(segment, plan) - self._net(segment, plan[:n_steps])
        return Decision(plan[n_steps], expected=Expectation(gain=gain))

    def segment(self, state: State) -> Path:
        """The finest segment of the question that was seen."""
        path = path_of(self.chain, state.question.text, state.question.metadata)
        return _finest(path, self.benefits)

    def plan(self, segment: Path) -> Plan:
        """The plan that pays best there; of equals the shortest."""
        return max(self.plans, key=lambda plan: self._net(segment, plan))

    def explained(self) -> str:
        """What it does, in words: «retrieve for questions asking who; answer at once for all
        others»."""
        finest = [own for own in self.benefits if len(own) == len(self.chain)]
        by_plan: dict[Plan, list[str]] = {}
        for segment in dict.fromkeys(self._widest(own, finest) for own in sorted(finest)):
            by_plan.setdefault(self._plan_within(segment, finest), []).append(" ".join(segment))
        common = max(by_plan, key=lambda plan: len(by_plan[plan]))
        rules = [
            f"{named_plan(plan)} for questions {'; '.join(own)}"
            for plan, own in by_plan.items()
            if plan != common
        ]
        return ". ".join(
            [*rules, f"{named_plan(common)} for all {'others' if rules else ''}"]
        ).strip()

    def _widest(self, segment: Path, finest: Sequence[Path]) -> Path:
        """The widest segment around a finest one in which all have its plan."""
        plan = self.plan(segment)
        return next(
            segment[:n]
            for n in range(min(1, len(segment)), len(segment) + 1)
            if all(self.plan(own) == plan for own in finest if own[:n] == segment[:n])
        )

    def _plan_within(self, segment: Path, finest: Sequence[Path]) -> Plan:
        """The plan of the first of the finest segments inside."""
        return self.plan(next(own for own in finest if own[: len(segment)] == segment))

    def _net(self, segment: Path, plan: Plan) -> float:
        at = self.plans.index(plan)
        return self.benefits[segment][at] - self.costs[at]


def named_plan(plan: Plan) -> str:
    return " then ".join(action.value for action in plan) or "answer at once"


def argo_segment(context: PolicyContext) -> ArgoSegment:
    """Choose the chain at the cell's price; no model is asked."""
    calibration, prices = context.calibrated, context.prices
    explored = calibration.exploration.within(min(calibration.horizon, context.max_steps))
    outcomes = explored.once(plan_outcomes)
    tried = {chain: paths(chain, calibration, outcomes.questions) for chain in chains(calibration)}
    chain = _best_chain(explored, tried, prices)
    benefits = segment_benefits(outcomes.benefits, tried[chain])
    return ArgoSegment(
        chain,
        outcomes.plans,
        tuple(map(float, outcomes.costs(prices))),
        {path: tuple(map(float, own)) for path, own in benefits.items()},
    )


def _best_chain(
    explored: Exploration, tried: Mapping[Chain, tuple[Path, ...]], prices: Prices
) -> Chain:
    """The chain whose plans earn most on questions left out; of equals the coarsest."""
    outcomes = explored.once(plan_outcomes)
    costs = outcomes.costs(prices)

    def earned(chain: Chain) -> float:
        expected = explored.once(_out_of_fold, tried[chain]) - costs
        chosen = expected.argmax(axis=1)
        gains = np.take_along_axis(outcomes.benefits - costs, chosen[:, None], axis=1)
        return float(gains.sum())

    values = {chain: earned(chain) for chain in tried}
    least = max(values.values()) - ROUNDING * len(outcomes.questions)
    return next(chain for chain, value in values.items() if value >= least)


def _out_of_fold(explored: Exploration, segments: Sequence[Path]) -> Floats:
    """Estimated benefits (questions, plans) by segments of the other folds' questions."""
    outcomes: PlanOutcomes = explored.once(plan_outcomes)
    folds = np.array(outcomes.questions) % N_EXPLORATION_FOLDS
    estimated = np.zeros_like(outcomes.benefits)
    for fold in np.unique(folds):
        train, held_out = (np.flatnonzero(own).tolist() for own in (folds != fold, folds == fold))
        if not train:
            train = held_out
        means = segment_benefits(outcomes.benefits[train], [segments[at] for at in train])
        for at in held_out:
            estimated[at] = means[_finest(segments[at], means)]
    return estimated


def segment_benefits(benefits: Floats, segments: Sequence[Path]) -> dict[Path, Floats]:
    """The benefit of every plan by segment, each level shrunk towards the one above."""
    means: dict[Path, Floats] = {ALL: benefits.mean(axis=0)}
    for depth in range(1, len(segments[0]) + 1):
        own = [segment[:depth] for segment in segments]
        residuals = benefits - np.array([means[segment[:-1]] for segment in own])
        numbers = {segment: number for number, segment in enumerate(dict.fromkeys(own))}
        groups = np.array([numbers[segment] for segment in own])
        shrunk = np.array([shrunk_means(groups, column) for column in residuals.T])
        means |= {
            segment: means[segment[:-1]] + shrunk[:, number] for segment, number in numbers.items()
        }
    return means


def _finest(path: Path, known: Container[Path]) -> Path:
    """The longest beginning of ``path`` that is known; `ALL` always is."""
    return next(path[:n] for n in range(len(path), -1, -1) if path[:n] in known)
