"""One question of the user's own, answered by one policy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from argo_ml.config import CellSpec
from argo_ml.datasets import QuestionSet, check_dataset
from argo_ml.errors import ConfigError
from argo_ml.pipeline import Known
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.strategies import find_strategy
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.results.records import PolicyTable
from argo_ml.state import Outcome
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.shards import episodes
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Answered:
    question: Question
    strategy: str
    outcome: Outcome
    table: PolicyTable


def answer_question(
    spec: CellSpec,
    text: str,
    choices: tuple[str, ...] = (),
    on_progress: OnProgress = ignore_progress,
) -> Answered:
    """Answer ``text``, by choosing among ``choices`` where there are any."""
    _check_answerable(spec)
    question = Question(id="asked", text=text, choices=choices)
    questions = QuestionSet((question,), "", "")
    context = LocalContext.open_for(questions, spec, on_progress)
    [cell] = prepare_cells([context.spec], context)
    [finished] = context.engine("answer").run(episodes([(cell, question)], defaultdict(Known)))
    return Answered(question, spec.strategy, finished.outcome, cell.table)


def _check_answerable(spec: CellSpec) -> None:
    check_dataset(spec.dataset, spec.documents)
    check_strategies([spec.strategy], spec)
    if find_strategy(spec.strategy).is_ceiling:
        raise ConfigError(f"strategy={spec.strategy} needs the answer to find it; use another")
