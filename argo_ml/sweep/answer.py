"""One question of the user's own, answered by one policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from argo_ml.config import CellSpec
from argo_ml.corpus import open_corpus
from argo_ml.datasets import QuestionSet
from argo_ml.engine import Engine
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import solve
from argo_ml.models import load_model
from argo_ml.models.base import can_score
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.pipeline import build_pipeline, run_episode
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.strategies import STRATEGIES
from argo_ml.progress import PASSAGES, OnProgress, ignore_progress
from argo_ml.results.records import PolicyTable
from argo_ml.state import Outcome
from argo_ml.sweep.answering_mode import resolve_answering
from argo_ml.sweep.calibration_source import check_usable, open_calibration
from argo_ml.sweep.cells import cell_policy, cell_process, measure, policy_table
from argo_ml.sweep.context import LocalContext
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
    model = load_model(spec)
    spec = resolve_answering(spec, can_score(model))
    corpus = open_corpus(spec, partial(on_progress, PASSAGES))
    cache = CallCache(spec.calls_path)
    calibration = open_calibration(spec)
    if calibration is not None:
        context = LocalContext(QuestionSet((question,), "", ""), corpus, model, cache, calibration)
        check_usable(calibration, spec, context.digests)
    solution = solve(cell_process(spec, calibration))
    policy = cell_policy(spec, solution, calibration)
    engine = Engine(CachingModel(model, cache, billed_to="answer"), corpus.retriever)
    pipeline = build_pipeline(spec, model.count_tokens, measure(spec, calibration))
    episode = run_episode(question, policy, pipeline)
    [finished] = engine.run([episode])
    return Answered(question, spec.strategy, finished.outcome, policy_table(solution, policy))


def _check_answerable(spec: CellSpec) -> None:
    check_strategies([spec.strategy], spec)
    if STRATEGIES[spec.strategy].is_ceiling:
        raise ConfigError(f"strategy={spec.strategy} needs the answer to find it; use another")
