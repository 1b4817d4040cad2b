"""The rows of large replays as Arrow tables, without an object for each.

What a row says of a question after one plan is the same at every price and under every policy that
decides once, but for its cost and what the policy expected. So rows are picked from one table for
each plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argo_ml.calibration.plans import NONE
from argo_ml.replay.calibrating import ReplayState
from argo_ml.replay.charging import price_of_actions
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.rows import (
    ReplayDecision,
    confidence_in_answer,
    decisions_of,
    question_row,
)
from argo_ml.results.row_files import rows_schema, rows_table
from argo_ml.types import Prices

Outcome = tuple[str, bool]
"""A plan, and whether the answer is withheld after it."""


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """The rows of all questions after one plan: with no decisions, and at no cost.

    ``ways`` are the different sequences of actions in it, ``way`` which of them each question has,
    ``confidences`` those of the answers themselves.
    """

    table: Any
    ways: tuple[tuple[str, ...], ...]
    way: tuple[int, ...]
    confidences: tuple[float | None, ...]


class RowTables:
    """Makes the rows of cells, one for each of the questions in their order."""

    def __init__(self, tested: Sequence[ReplayState]) -> None:
        self._recorded: tuple[RecordedQuestion, ...] = tuple(state.recorded for state in tested)
        self._tables: dict[Outcome, OutcomeTable] = {}

    def cell(self, decisions: Sequence[ReplayDecision], prices: Prices) -> Any:
        """The rows of ``decisions``, one a question, where actions have fixed prices."""
        import pyarrow as pa  # type: ignore[import-untyped]

        outcomes = [(decision.plan, decision.abstains) for decision in decisions]
        number = {outcome: at for at, outcome in enumerate(dict.fromkeys(outcomes))}
        parts = [self._after(outcome) for outcome in number]
        n_questions = len(self._recorded)
        picked = [number[outcome] * n_questions + at for at, outcome in enumerate(outcomes)]
        table = pa.concat_tables([part.table for part in parts]).take(pa.array(picked))
        costs = [[price_of_actions(way, prices) for way in part.ways] for part in parts]
        own = [(number[outcome], parts[number[outcome]]) for outcome in outcomes]
        columns = {
            "cost": [costs[part_at][part.way[at]] for at, (part_at, part) in enumerate(own)],
            "confidence": [
                confidence_in_answer(decision, part.confidences[at])
                for at, (decision, (_, part)) in enumerate(zip(decisions, own, strict=True))
            ],
            "decisions": self._decisions(decisions),
        }
        for name, values in columns.items():
            at = table.schema.get_field_index(name)
            field = table.schema.field(at)
            table = table.set_column(at, field, pa.array(values, field.type))
        return table

    def _decisions(self, decisions: Sequence[ReplayDecision]) -> list[list[dict[str, Any]]]:
        return [
            [dict(made) for made in decisions_of(recorded, decision)]
            for recorded, decision in zip(self._recorded, decisions, strict=True)
        ]

    def _after(self, outcome: Outcome) -> OutcomeTable:
        """Questions without the plan have the row of another one there, which nobody picks."""
        if outcome not in self._tables:
            plan, abstains = outcome
            rows = [
                question_row(
                    recorded,
                    ReplayDecision(plan if plan in recorded.outcomes else NONE, abstains=abstains),
                )
                for recorded in self._recorded
            ]
            ways = {row.actions: None for row in rows}
            number = {way: at for at, way in enumerate(ways)}
            self._tables[outcome] = OutcomeTable(
                rows_table(rows, rows_schema()),
                tuple(ways),
                tuple(number[row.actions] for row in rows),
                tuple(row.confidence for row in rows),
            )
        return self._tables[outcome]
