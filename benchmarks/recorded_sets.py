"""What trials on recorded sets share: the calibration questions of files, features, arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from argo_ml.calibration.plans import NONE
from argo_ml.calibration.text_features import ANSWER_FEATURES, QUESTION_KINDS, answer_in_question
from argo_ml.corpus.embedding import SentenceEmbedder
from argo_ml.replay.calibrating import ReplayState, VectorsByText, make_replay_state
from argo_ml.replay.common import common_records
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.splitting import CALIBRATION

Floats = NDArray[np.float64]
PRICES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Prices of a retrieval that trials are judged at."""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Those of every trial: files of outcomes, and how they are graded."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    return parser


def embedding_arguments(description: str | None) -> argparse.ArgumentParser:
    parser = arguments(description)
    parser.add_argument("--embedding-model", default="all-minilm-l6-v2")
    return parser


def read_calibration(path: Path, scorer: str) -> list[RecordedQuestion]:
    recorded = read_outcomes(path, "outcomes", scorer)
    return [own for own in recorded if own.split in ("", CALIBRATION)]


def replay_states(
    questions: Sequence[RecordedQuestion], vectors: VectorsByText
) -> list[ReplayState]:
    """The states of one file's questions before any step: policies see what all of them have."""
    common = common_records(questions, ())
    return [make_replay_state(own, common, vectors) for own in questions]


def of_answer(recorded: RecordedQuestion) -> list[float]:
    """Features of the text of the answer without retrieval."""
    text = recorded.outcomes[NONE].answer.text
    computed = [compute(text) for compute in ANSWER_FEATURES.values()]
    return [*computed, answer_in_question(text, recorded.question.text)]


def of_question(recorded: RecordedQuestion) -> list[float]:
    """How long the question is, and what kind of question by its words."""
    text = recorded.question.text
    return [np.log1p(len(text.split())), *(compute(text) for compute in QUESTION_KINDS.values())]


def of_cosine(
    questions: Sequence[RecordedQuestion], vectors: Floats, embedder: SentenceEmbedder
) -> Floats:
    """How near the answer without retrieval lies to the question, whose ``vectors`` are given."""
    texts = [own.outcomes[NONE].answer.text for own in questions]
    answers = np.asarray(embedder.embed_queries(texts), dtype=float)
    made: Floats = (vectors * answers).sum(axis=1, keepdims=True)
    return made


def half_over_random(scores: Floats, benefit: Floats) -> Floats:
    """By question what it adds to the share of right answers to retrieve for the half of the
    highest scores instead of a half at random."""
    order = np.argsort(-scores, kind="stable")
    retrieves = np.zeros(len(scores))
    retrieves[order[: len(order) // 2]] = 1.0
    made: Floats = (retrieves - retrieves.mean()) * benefit
    return made


def scaled(groups: Sequence[Floats], vectors: Floats, n_projections: int, train: Any) -> Floats:
    """Rows of the features and of projections of the vectors, by the ``train`` rows alone."""
    columns = list(groups)
    if n_projections:
        fitted = PCA(n_projections, svd_solver="full").fit(vectors[train])
        columns.append(fitted.transform(vectors))
    rows = np.hstack(columns)
    made: Floats = StandardScaler().fit(rows[train]).transform(rows)
    return made
