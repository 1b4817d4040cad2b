"""The oracle's episodes: every plan tried, and the best of them taken knowing the gold answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from argo_ml.datasets.answers import grade
from argo_ml.engine import Engine, Finished
from argo_ml.pipeline import Known, run_episode
from argo_ml.pipeline.requests import Requesting
from argo_ml.policies import Policy
from argo_ml.policies.oracle import Oracle
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.types import Question


def run_pairs(
    pairs: Sequence[tuple[Cell, Question]],
    engine: Engine,
    known: defaultdict[Hashable, Known],
    on_progress: Callable[[int], None],
) -> list[Finished]:
    """An episode of each cell and question, in their order.

    What is ``known`` of a question is shared among the episodes that may share it. An oracle takes
    the best of its own trials and of what all other cells did at its price, so that it is a
    ceiling; the calls that its trials alone needed are paid by its first cell.
    """
    acting = [pair for pair in pairs if not isinstance(pair[0].policy, Oracle)]
    knowing = [pair for pair in pairs if isinstance(pair[0].policy, Oracle)]
    first = {_history(cell, question): (cell, question) for cell, question in reversed(knowing)}

    def begin(cell: Cell, question: Question, policy: Policy) -> Requesting[Outcome]:
        return run_episode(question, policy, cell.pipeline, known[_history(cell, question)])

    episodes = [begin(cell, question, cell.policy) for cell, question in acting]
    for cell, question in first.values():
        episodes += [begin(cell, question, plan) for plan in _plans(cell)]
    done = iter(engine.run(episodes, lambda n: on_progress(min(n, len(pairs)))))

    found = {(cell.id, question.id): next(done) for cell, question in acting}
    trials = {key: [next(done) for _ in _plans(cell)] for key, (cell, question) in first.items()}
    others: defaultdict[tuple[str, float], list[Outcome]] = defaultdict(list)
    for cell, question in acting:
        outcome = found[cell.id, question.id].outcome
        others[question.id, cell.spec.retrieval_cost].append(outcome)
    for cell, question in knowing:
        key = _history(cell, question)
        outcomes = [_repriced(trial.outcome, cell) for trial in trials[key]]
        outcomes += others[question.id, cell.spec.retrieval_cost]
        is_first = first[key][0] is cell
        paid = [request for trial in trials[key] for request in trial.paid] if is_first else []
        found[cell.id, question.id] = Finished(_best(outcomes, cell, question), tuple(paid))
    return [found[cell.id, question.id] for cell, question in pairs]


def _history(cell: Cell, question: Question) -> tuple[str, Hashable]:
    return question.id, cell.pipeline.knowledge


def _plans(cell: Cell) -> list[Policy]:
    assert isinstance(cell.policy, Oracle)
    return list(cell.policy.plans)


def _repriced(outcome: Outcome, cell: Cell) -> Outcome:
    prices = cell.pipeline.prices
    steps = tuple(replace(step, cost=prices[step.action]) for step in outcome.steps)
    return replace(outcome, steps=steps)


def _best(outcomes: Sequence[Outcome], cell: Cell, question: Question) -> Outcome:
    """Of the largest utility; of equals the cheapest, then the shortest, then the first."""

    def rank(outcome: Outcome) -> tuple[float, float, int]:
        utility = grade(question, outcome.answer).correct - cell.spec.mu * outcome.cost
        return utility, -outcome.cost, -len(outcome.steps)

    return max(outcomes, key=rank)
