"""The rows of large replays as Arrow tables, without an object for each.

What a row says of a question after one plan is the same at every price and under every policy that
decides once, but for its cost and what the policy expected. So rows are picked from one table for
each plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.calibration.plans import NONE
from argo_ml.replay.calibrating import ReplayState
from argo_ml.replay.charging import price_of_actions
from argo_ml.replay.decision_columns import DecisionColumns, Ending, Flags, Floats, Numbers
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.rows import ReplayDecision, question_row
from argo_ml.results.records import QuestionResult
from argo_ml.results.row_files import rows_schema, rows_table
from argo_ml.types import Action, Prices

_ACTIONS = (Action.STOP.value, Action.RETRIEVE.value)


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """The rows of all questions after one plan: with no decisions, and at no cost.

    ``ways`` are the different sequences of actions in it, ``way`` which of them each question has,
    ``confidences`` those of the answers themselves.
    """

    table: Any
    ways: tuple[tuple[str, ...], ...]
    way: Numbers
    confidences: Floats
    correct: Flags

    @classmethod
    def of(cls, rows: Iterable[QuestionResult]) -> OutcomeTable:
        table = rows_table(rows, rows_schema())
        taken = [tuple(actions) for actions in table["actions"].to_pylist()]
        ways = {way: at for at, way in enumerate(dict.fromkeys(taken))}
        return cls(
            table,
            tuple(ways),
            np.array([ways[way] for way in taken]),
            table["confidence"].to_numpy(),
            table["correct"].to_numpy(),
        )


class RowTables:
    """Makes the rows of cells, one for each of the questions in their order."""

    def __init__(self, tested: Sequence[ReplayState]) -> None:
        self._recorded: tuple[RecordedQuestion, ...] = tuple(state.recorded for state in tested)
        self._tables: dict[Ending, OutcomeTable] = {}

    def cell(self, decisions: DecisionColumns, prices: Prices) -> Any:
        """The rows of ``decisions``, one a question, where actions have fixed prices."""
        import pyarrow as pa  # type: ignore[import-untyped]

        parts = [self._after(outcome) for outcome in decisions.outcomes]
        n_questions = len(self._recorded)
        at = decisions.outcome, np.arange(n_questions)
        table = pa.concat_tables([part.table for part in parts])
        table = table.take(pa.array(at[0] * n_questions + at[1]))
        columns = {
            "cost": pa.array(_costs(parts, prices)[at]),
            "confidence": _confidences(
                decisions, np.stack([part.confidences for part in parts])[at]
            ),
            "decisions": self._decisions(decisions, np.stack([part.correct for part in parts])[at]),
        }
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), values)
        return table

    def _decisions(self, decisions: DecisionColumns, correct: Flags) -> Any:
        """What `decisions_of` says of each question, as an Arrow array of lists; ``correct`` says
        whether the answers given are right."""
        import pyarrow as pa

        made = MadeDecisions.of(decisions)
        right = np.zeros(made.n, dtype=bool)
        right[made.looked_at_first], right[made.looked_at_last] = (
            self._correct[made.looks],
            correct[made.looks],
        )
        unseen = np.ones(made.n, dtype=bool)
        unseen[made.looked_at_first] = unseen[made.looked_at_last] = False
        acts = np.zeros(made.n, dtype=np.int64)
        acts[made.first] = made.retrieves[made.is_made]
        kind = rows_schema().field("decisions").type
        values = [
            pa.array(_ACTIONS).take(pa.array(acts)),
            *(
                pa.array(made.spread(own), from_pandas=True)
                for own in (
                    decisions.expected.confidence,
                    decisions.expected.gain,
                    decisions.expected.score,
                )
            ),
            pa.array(right, mask=unseen),
        ]
        fields = [kind.value_type.field(at) for at in range(kind.value_type.num_fields)]
        structs = pa.StructArray.from_arrays(values, fields=fields)
        return pa.ListArray.from_arrays(pa.array(made.offsets), structs, type=kind)

    @cached_property
    def _correct(self) -> Flags:
        """Whether the answers without retrieval are right."""
        return np.array([own.outcomes[NONE].correct for own in self._recorded])

    def _after(self, outcome: Ending) -> OutcomeTable:
        """Questions without the plan have the row of another one there, which nobody picks."""
        if outcome not in self._tables:
            self._tables[outcome] = OutcomeTable.of(self._rows_after(*outcome))
        return self._tables[outcome]

    def _rows_after(self, plan: str, abstains: bool) -> Iterator[QuestionResult]:
        for recorded in self._recorded:
            known = plan if plan in recorded.outcomes else NONE
            yield question_row(recorded, ReplayDecision(known, abstains=abstains))


@dataclass(frozen=True, slots=True, eq=False)
class MadeDecisions:
    """Where in a list of all decisions those of each question stand: the first, which acts or
    stops, and the stop after a retrieval. There are none about a question of which nothing was
    probed or expected."""

    retrieves: Flags
    probed: Flags
    counts: Numbers

    @classmethod
    def of(cls, decisions: DecisionColumns) -> MadeDecisions:
        plans = np.array([plan != NONE for plan, _ in decisions.outcomes])
        retrieves = plans[decisions.outcome]
        counts = np.where(decisions.expected.known | decisions.probed, 1 + retrieves, 0)
        return cls(retrieves, decisions.probed, counts)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int32)

    @property
    def is_made(self) -> Flags:
        return np.asarray(self.counts > 0)

    @property
    def first(self) -> Numbers:
        return np.asarray(self.offsets[:-1][self.is_made])

    @property
    def looks(self) -> Flags:
        """The questions whose answers were looked at before and after a retrieval."""
        return self.retrieves & self.probed

    @property
    def looked_at_first(self) -> Numbers:
        return np.asarray(self.offsets[:-1][self.looks])

    @property
    def looked_at_last(self) -> Numbers:
        return np.asarray(self.looked_at_first + 1)

    def spread(self, values: Floats) -> Floats:
        """Of each question at its first decision, not a number at the others."""
        column = np.full(self.n, np.nan)
        column[self.first] = values[self.is_made]
        return column


def _costs(parts: Sequence[OutcomeTable], prices: Prices) -> Floats:
    """What each question costs after each of the outcomes."""
    return np.stack(
        [np.array([price_of_actions(way, prices) for way in own.ways])[own.way] for own in parts]
    )


def _confidences(decisions: DecisionColumns, of_answers: Floats) -> Any:
    """As `confidence_in_answer` says, question by question."""
    import pyarrow as pa

    stops = np.array([plan == NONE for plan, _ in decisions.outcomes])[decisions.outcome]
    own = np.where(stops, decisions.expected.rounded_confidence, np.nan)
    return pa.array(np.where(np.isnan(own), of_answers, own), from_pandas=True)
