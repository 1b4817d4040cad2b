"""The oracle's episodes: every plan tried, and the best of them taken knowing the gold answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from argo_ml.datasets.answers import grade
from argo_ml.engine import Finished
from argo_ml.pipeline import Known, run_episode
from argo_ml.policies import Policy
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.types import Question


@runtime_checkable
class TriesPlans(Protocol):
    """What the policy of a cell that knows the answers gives."""

    @property
    def plans(self) -> Iterable[Policy]:
        """All plans that are to be tried, in a fixed order."""


class OracleEpisodes:
    """The trials of cells that know the answers, and what these cells take of them.

    Cells that share what is known of a question share its trials, which the first of them makes
    and pays for.
    """

    def __init__(
        self, pairs: Sequence[tuple[Cell, Question]], known: defaultdict[Hashable, Known]
    ) -> None:
        self._pairs = pairs
        self._first = {_history(*pair): pair for pair in reversed(pairs)}
        self.episodes = [
            run_episode(question, plan, cell.pipeline, known[key])
            for key, (cell, question) in self._first.items()
            for plan in _plans(cell)
        ]

    def in_order(
        self, done: Sequence[Finished], others: Mapping[tuple[str, float], Sequence[Outcome]]
    ) -> list[Finished]:
        """The best outcome for each cell and question among its trials ``done`` and ``others``.

        ``others`` are what the other cells did by question and price: so the oracle is a ceiling.
        """
        remaining = iter(done)
        trials = {
            key: [next(remaining) for _ in _plans(cell)] for key, (cell, _) in self._first.items()
        }
        finished = []
        for cell, question in self._pairs:
            key = _history(cell, question)
            outcomes = [_repriced(trial.outcome, cell) for trial in trials[key]]
            outcomes += others.get((question.id, cell.spec.retrieval_cost), ())
            is_first = self._first[key][0] is cell
            paid = [request for trial in trials[key] for request in trial.paid] if is_first else []
            finished.append(Finished(_best(outcomes, cell, question), tuple(paid)))
        return finished


def _history(cell: Cell, question: Question) -> tuple[str, Hashable]:
    return question.id, cell.pipeline.knowledge


def _plans(cell: Cell) -> list[Policy]:
    assert isinstance(cell.policy, TriesPlans)
    return list(cell.policy.plans)


def _repriced(outcome: Outcome, cell: Cell) -> Outcome:
    prices = cell.pipeline.prices
    steps = tuple(replace(step, cost=prices.of(step.action)) for step in outcome.steps)
    return replace(outcome, steps=steps, tariff=cell.pipeline.tariff)


def _best(outcomes: Sequence[Outcome], cell: Cell, question: Question) -> Outcome:
    """The outcome of the largest utility; of equals the cheapest, then the shortest, then the
    first."""

    def rank(outcome: Outcome) -> tuple[float, float, int]:
        utility = grade(question, outcome.answer).correct - cell.spec.mu * outcome.cost
        return utility, -outcome.cost, -len(outcome.steps)

    return max(outcomes, key=rank)
