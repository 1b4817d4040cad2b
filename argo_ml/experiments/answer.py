"""One question of the user's own, answered by one policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from argo_ml.config import CellSpec
from argo_ml.corpus import open_corpus
from argo_ml.engine import Engine
from argo_ml.experiments.grid import cell_policy, policy_table
from argo_ml.experiments.results import PolicyTable
from argo_ml.models import load_model
from argo_ml.models.answering import settle_answering
from argo_ml.models.base import can_score
from argo_ml.models.cache import CachingModel, CallCache
from argo_ml.observing import PASSAGES, Report, unobserved
from argo_ml.pipeline import build_pipeline, run_episode
from argo_ml.policies.mdp import solve
from argo_ml.types import Outcome, Question


@dataclass(frozen=True, slots=True)
class Answered:
    question: Question
    strategy: str
    outcome: Outcome
    table: PolicyTable


def answer_question(
    spec: CellSpec, text: str, choices: tuple[str, ...] = (), report: Report = unobserved
) -> Answered:
    """Answer ``text``, by choosing among ``choices`` where there are any."""
    question = Question(id="asked", text=text, choices=choices)
    model = load_model(spec)
    spec = settle_answering(spec, can_score(model))
    corpus = open_corpus(spec, partial(report, PASSAGES))
    solution = solve(spec.mdp(spec.retrieval_cost))
    policy = cell_policy(spec, solution)
    cache = CallCache(spec.calls_path)
    engine = Engine(CachingModel(model, cache, payer="answer"), corpus.retriever)
    episode = run_episode(question, policy, build_pipeline(spec, model.count_tokens))
    [finished] = engine.run([episode])
    return Answered(question, spec.strategy, finished.outcome, policy_table(solution, policy))
