"""One question of the user's own, answered by one policy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from argo_ml.config import AnswerSpec, CellSpec, build
from argo_ml.datasets import QuestionSet, check_dataset
from argo_ml.errors import ConfigError, ModelError
from argo_ml.pipeline import Known
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.strategies import find_strategy
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.results.records import PolicyTable
from argo_ml.state import Outcome
from argo_ml.sweep.calibration_source import VALID_FOR, made_with
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.shards import episodes
from argo_ml.types import Question

SHOWN_CHARACTERS = 60
"""Of a question in an error."""
OF_CALIBRATION = (
    *VALID_FOR,
    *("documents", "chunk_size", "chunk_overlap", "embedding_model"),
    *("query_prompt", "passage_prompt", "retriever", "reranker"),
    *("model", "server_urls", "precision", "quantization", "max_new_tokens", "hidden_states"),
    "thinking_tokens",
)
"""What a calibration must have been made with to be valid, and where that is."""


@dataclass(frozen=True, slots=True)
class Answered:
    question: Question
    strategy: str
    retrieval_cost: float
    outcome: Outcome
    table: PolicyTable


def with_sources_of_calibration(spec: AnswerSpec) -> AnswerSpec:
    """``spec`` with the model, the documents and the settings that its calibration was made with.

    What the spec was given itself comes first. Raises `ArgoError` for a calibration that is none.
    """
    if not spec.calibration:
        return spec
    made = made_with(spec.calibration, spec.tracking_uri)
    given = {name: getattr(spec, name) for name in spec.model_fields_set}
    taken = {name: made[name] for name in OF_CALIBRATION if name in made and name not in given}
    return build(AnswerSpec, {**taken, **given})


def answer_question(
    spec: CellSpec,
    text: str,
    choices: tuple[str, ...] = (),
    on_progress: OnProgress = ignore_progress,
) -> Answered:
    """Answer ``text``, by choosing among ``choices`` where there are any."""
    _check_answerable(spec)
    if len(choices) == 1 or not all(choice.strip() for choice in choices):
        raise ConfigError(
            f"choices={'|'.join(choices)}: give two or more, each with a text, or none"
        )
    question = Question(id="asked", text=text, choices=choices)
    questions = QuestionSet((question,), "", "")
    context = LocalContext.open_for(questions, spec, on_progress)
    [cell] = prepare_cells([context.spec], context)
    [finished] = context.engine("answer").run(episodes([(cell, question)], defaultdict(Known)))
    if finished.outcome.unanswered:
        raise ModelError(
            f"question={_beginning(text)!r} cannot be asked ({finished.outcome.unanswered}); "
            "shorten it, lower top_k, chunk_size or evidence_tokens where passages are what is "
            "long, or use a model with a longer context"
        )
    return Answered(question, spec.strategy, cell.spec.retrieval_cost, finished.outcome, cell.table)


def _beginning(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _check_answerable(spec: CellSpec) -> None:
    check_dataset(spec.dataset, spec.given_documents)
    check_strategies([spec.strategy], spec)
    if find_strategy(spec.strategy).is_ceiling:
        raise ConfigError(f"strategy={spec.strategy} needs the answer to find it; use another")
