"""Trials run on questions; what one trial has asked, every later one knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from argo_ml.config import StudySpec
from argo_ml.engine import Finished
from argo_ml.engine.stages import StageTimes
from argo_ml.interruption import in_batches
from argo_ml.pipeline import Known
from argo_ml.policies.search import Settings
from argo_ml.results.records import QuestionResult, ValuedRow
from argo_ml.results.trajectories import question_result
from argo_ml.results.unanswered import UnansweredQuestions
from argo_ml.study.space import cell_spec
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.shards import episodes
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive questions of a trial."""

    questions: tuple[Question, ...]
    finished: tuple[Finished, ...]
    rows: tuple[QuestionResult, ...]


class Evaluator:
    """Runs settings on the questions of one context, in their order, a block at a time.

    Episodes share what they know of a question, so that only histories which no earlier trial
    came to make requests; `times` adds up where the time goes.
    """

    def __init__(self, context: LocalContext[StudySpec], times: StageTimes) -> None:
        self._context = context
        self.times = times
        self._known: defaultdict[Hashable, Known] = defaultdict(Known)
        self._blocks = doubling_blocks(context.questions.questions, context.spec.shard_size)
        self._unanswered = UnansweredQuestions(context.spec.max_unanswered, self.n_questions)
        self._rows: dict[tuple[tuple[str, float], ...], list[ValuedRow]] = {}
        self._distinct: dict[ValuedRow, ValuedRow] = {}

    @property
    def n_questions(self) -> int:
        return len(self._context.questions.questions)

    def kept_open(self) -> AbstractContextManager[None]:
        """Keeps this thread's connection to the call cache from one block to the next."""
        return self._context.cache.kept_open()

    def cell(self, settings: Settings) -> Cell:
        """The settings as a cell at the study's first price."""
        [cell] = prepare_cells([cell_spec(self._context.spec, settings)], self._context)
        return cell

    def blocks(self, cell: Cell, billed_to: str) -> Iterator[Block]:
        for block in in_batches(self._answered_blocks(cell, billed_to)):
            self._unanswered.add_rows(block.rows)
            self._unanswered.check()
            yield block

    def _answered_blocks(self, cell: Cell, billed_to: str) -> Iterator[Block]:
        for index, questions in enumerate(self._blocks):
            engine = self._context.engine(f"{billed_to}/{index}", self.times)
            pairs = [(cell, question) for question in questions]
            finished = engine.run(episodes(pairs, self._known))
            rows = tuple(map(question_result, questions, finished))
            yield Block(questions, tuple(finished), rows)

    def rows(self, settings: Settings, billed_to: str) -> Sequence[ValuedRow]:
        """All questions under these settings, as `remember` keeps them."""
        key = _key(settings)
        if key not in self._rows:
            cell = self.cell(settings)
            blocks = self.blocks(cell, billed_to)
            self.remember(settings, [row for block in blocks for row in block.rows])
        return self._rows[key]

    def remember(self, settings: Settings, rows: Sequence[QuestionResult]) -> None:
        """Keep what the rows of a trial are valued by; of equal ones one."""
        valued = map(ValuedRow.of, rows)
        self._rows[_key(settings)] = [self._distinct.setdefault(row, row) for row in valued]


def doubling_blocks(questions: Sequence[Question], first: int) -> list[tuple[Question, ...]]:
    """Consecutive blocks, of ``first`` questions and then as many as all before.

    A bad trial is pruned early, and a good one runs in few large blocks.
    """
    blocks: list[tuple[Question, ...]] = []
    n_before = 0
    while n_before < len(questions):
        size = max(first, n_before)
        blocks.append(tuple(questions[n_before : n_before + size]))
        n_before += size
    return blocks


def _key(settings: Settings) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(settings.items()))
