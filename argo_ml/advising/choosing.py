"""Which strategy to advise at a price, chosen on questions that it is not confirmed on.

The best strategy of some questions owes part of its lead to chance. Choosing is therefore judged as
a method: on the other four fifths of the questions the best policy that decides by the question and
the best fixed plan are chosen, and compared on the fifth left out, in turn (cross-validation, Stone
1974). Where the policies so chosen earn no more, the fixed plan is taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from argo_ml.evaluation.judged_cells import JudgedCell, judge_cells
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import Results
from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import ROUNDING, Estimate, best_of
from argo_ml.statistics.resampling import mean_estimate
from argo_ml.types import Action

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen at a price.

    ``alternative`` is what it is to be compared with, ``plan`` the best fixed plan and ``opposite``
    the best plan that retrieves where that one does not, or the other way round. ``candidate`` is
    the best policy that decides by the question, chosen or not (empty where none ran), and
    ``gain`` what choosing such policies earns over choosing fixed plans, on questions left out.
    """

    retrieval_cost: float
    strategy: str
    alternative: str
    plan: str
    opposite: str
    candidate: str = ""
    gain: Estimate | None = None


def choose(results: Results) -> tuple[Choice, ...]:
    """A choice for every price, ascending. Raises ValueError where no fixed strategy ran."""
    cells = judge_cells(results)
    return tuple(
        _choose([cell for cell in cells if cell.price == price]) for price in results.prices
    )


def confirmed_strategies(policies: Sequence[str], choices: Sequence[Choice]) -> tuple[str, ...]:
    """The policies that a verdict at some price is about, and the two that others are compared
    with; what was the best at no price on the tune split need not be asked again."""
    named = {NEVER, SINGLE}
    for choice in choices:
        named |= {choice.plan, choice.opposite, choice.candidate}
    return tuple(name for name in policies if name in named)


def _choose(cells: Sequence[JudgedCell]) -> Choice:
    fixed = {cell.strategy: cell.utility.values for cell in cells if cell.is_fixed}
    adaptive = {
        cell.strategy: cell.utility.values
        for cell in cells
        if not cell.is_fixed and not cell.is_ceiling
    }
    if not fixed:
        raise ValueError("no strategy ran that treats all questions alike")
    price, plan = cells[0].price, best(fixed)
    opposite = _opposite(plan, fixed, cells)
    plain = Choice(price, plan, opposite, plan, opposite)
    if not adaptive:
        return plain
    gain, candidate = mean_estimate(left_out_differences(adaptive, fixed)), best(adaptive)
    considered = replace(plain, candidate=candidate, gain=gain)
    if gain.mean <= ROUNDING or _acts_like(candidate, plan, cells):
        return considered
    return replace(considered, strategy=candidate, alternative=plan)


def _acts_like(candidate: str, plan: str, cells: Sequence[JudgedCell]) -> bool:
    by_name = {cell.strategy: cell for cell in cells}
    return by_name[candidate].acts_like(by_name[plan])


def best(utilities: Mapping[str, Column]) -> str:
    """The name of the highest mean but for rounding; of equal ones the first."""
    return best_of({name: math.fsum(values) / len(values) for name, values in utilities.items()})


def left_out_differences(adaptive: Mapping[str, Column], fixed: Mapping[str, Column]) -> Column:
    """By question, the utility of the policy minus that of the plan that the others choose."""
    n = len(next(iter(fixed.values())))
    folds = np.arange(n) % min(N_FOLDS, n)
    differences = np.zeros(n)
    for fold in np.unique(folds):
        chosen_on, held_out = folds != fold, folds == fold
        if not chosen_on.any():
            chosen_on = held_out
        policy, plan = (
            kind[best({name: values[chosen_on] for name, values in kind.items()})]
            for kind in (adaptive, fixed)
        )
        differences[held_out] = policy[held_out] - plan[held_out]
    return differences


def _opposite(strategy: str, fixed: Mapping[str, Column], cells: Sequence[JudgedCell]) -> str:
    """The best plan that retrieves where ``strategy`` does not, and the other way round."""
    retrieving = {cell.strategy for cell in cells if cell.is_fixed and retrieves(cell)}
    others = {
        name: values
        for name, values in fixed.items()
        if (name in retrieving) is not (strategy in retrieving)
    }
    others = others or {name: values for name, values in fixed.items() if name != strategy}
    return best(others or fixed)


def retrieves(cell: JudgedCell) -> bool:
    return bool(action_counts(cell.result.questions, Action.RETRIEVE).any())
