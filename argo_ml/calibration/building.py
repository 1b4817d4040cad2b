"""From explored histories, or recorded outcomes, to a `Calibration`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.features import FEATURES, features
from argo_ml.calibration.fitting import FittedProbability, fit_probability
from argo_ml.calibration.gains import estimate_gains
from argo_ml.calibration.node import Node
from argo_ml.calibration.question_fields import segment_fields
from argo_ml.calibration.record import (
    Calibration,
    CalibrationQuestion,
    Projection,
    SeenAnswer,
    SeenDraft,
)
from argo_ml.errors import DataError
from argo_ml.models.hidden_states import encode_state
from argo_ml.state import AnswerNow, Draft, State
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Question, TokenDetail

MIN_CALIBRATION_QUESTIONS = 10
"""Questions below which nothing can be fitted."""
FEW_CALIBRATION_QUESTIONS = 50
"""Questions below which everything is uncertain enough to say so."""
N_COMPONENTS = 32
"""Projections of the question's embedding; benefits use them where that predicts better."""
N_STATE_COMPONENTS = 8
"""Projections of the model's hidden state: with more p-hat knows less, see docs/trials.md."""
N_OF_P_HAT = 4
"""Projections that p-hat uses: with all of them it is worse out of fold."""
ROOT: tuple[str, ...] = ()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """A state that was reached, and whether the answer there is right."""

    state: State
    correct: bool

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(step.action.value for step in self.state.steps)

    @property
    def succeeded(self) -> bool:
        """Whether the last action found something."""
        return self.state.steps[-1].succeeded if self.state.steps else True


@dataclass(frozen=True, slots=True)
class Explored:
    """A question's visits by the actions that led there, from none on, and outcomes by plan."""

    question: Question
    visits: Mapping[tuple[str, ...], Visit]
    outcomes: Mapping[str, bool] = field(default_factory=dict)


def build_calibration(
    explored: Sequence[Explored],
    spec: Mapping[str, Any],
    digests: Mapping[str, str],
    horizon: int,
    of_the_same: Calibration | None = None,
) -> Calibration:
    """Fit p-hat, its projections and the gains to explored questions.

    ``of_the_same`` is a calibration of the same questions, explored less far: what does not depend
    on how far is taken from it. Raises `DataError` for fewer questions than
    `MIN_CALIBRATION_QUESTIONS`, and warns of fewer than `FEW_CALIBRATION_QUESTIONS`.
    """
    check_size(len(explored))
    metadata: Sequence[Mapping[str, str]]
    if of_the_same is None:
        roots = [history.visits[ROOT] for history in explored]
        _warn_of_few(len(explored), sum(root.correct for root in roots))
        projection = _projection([root.state.observations.vector for root in roots], N_COMPONENTS)
        metadata = segment_fields([history.question for history in explored])
    else:
        projection, metadata = of_the_same.projection, of_the_same.metadata
    visits = [
        (index, visit)
        for index, history in enumerate(explored)
        for visit in history.visits.values()
    ]
    hidden = [_hidden_state(visit.state) for _, visit in visits]
    state_projection = _projection(hidden, N_STATE_COMPONENTS)
    rows = [
        (
            *features(visit.state),
            *projection.project(visit.state.observations.vector),
            *state_projection.project(state),
        )
        for (_, visit), state in zip(visits, hidden, strict=True)
    ]
    n_projections, n_states = len(projection.components), len(state_projection.components)
    fitted = _fit_p_hat(rows, visits, n_projections, n_states)
    nodes = tuple(
        _node(index, visit, row, confidence)
        for (index, visit), row, confidence in zip(visits, rows, fitted.out_of_fold, strict=True)
    )
    return Calibration(
        spec=spec,
        digests=digests,
        horizon=horizon,
        feature_names=(
            *FEATURES,
            *(f"projection_{number}" for number in range(n_projections)),
            *(f"hidden_state_{number}" for number in range(n_states)),
        ),
        projection=projection,
        state_projection=state_projection,
        probability=fitted.model,
        gains=estimate_gains(Exploration(nodes)),
        questions=tuple(map(_question, explored)),
        nodes=nodes,
        metadata=metadata,
    )


def _fit_p_hat(
    rows: Sequence[tuple[float, ...]],
    visits: Sequence[tuple[int, Visit]],
    n_projections: int,
    n_states: int,
) -> FittedProbability:
    """With the features of the model's state where the Brier score out of fold is lower with them;
    of the question's embedding it has the first projections."""
    n_features = len(FEATURES) + n_projections + n_states
    own = range(len(FEATURES) + min(N_OF_P_HAT, n_projections))
    choices = [(*own,), (*own, *range(n_features - n_states, n_features))][: 1 + bool(n_states)]
    labels = [visit.correct for _, visit in visits]
    groups = [str(index) for index, _ in visits]
    fits = [
        fit_probability([[row[at] for at in columns] for row in rows], labels, groups)
        for columns in choices
    ]
    best = min(range(len(fits)), key=lambda at: min(fits[at].model.brier.values()))
    linear = fits[best].model.linear.spread(choices[best], n_features)
    return replace(fits[best], model=fits[best].model.model_copy(update={"linear": linear}))


def _hidden_state(state: State) -> tuple[float, ...]:
    answer = state.observations.answer
    return () if answer is None else answer.hidden_state


def _node(index: int, visit: Visit, row: tuple[float, ...], confidence: float) -> Node:
    return Node(
        question=index,
        actions=visit.actions,
        features=row,
        correct=visit.correct,
        succeeded=visit.succeeded,
        confidence=float(confidence),
        gold_probability=_gold_probability(visit.state),
    )


def _gold_probability(state: State) -> float | None:
    answer, gold = state.observations.answer, state.question.gold
    if answer is None or not answer.probabilities or not gold:
        return None
    return sum(answer.probabilities[number] for number in gold)


def check_size(n_questions: int, said: str = "") -> None:
    """Raises `DataError` where there are too few to fit anything; ``said`` is where they are from,
    the parameter ``n_questions`` where that is empty."""
    if n_questions < MIN_CALIBRATION_QUESTIONS:
        raise DataError(
            f"{said or f'n_questions={n_questions}'}: a calibration needs at least "
            f"{MIN_CALIBRATION_QUESTIONS}, better 300"
        )


def _warn_of_few(n_questions: int, n_correct: int) -> None:
    if n_questions < FEW_CALIBRATION_QUESTIONS:
        interval = wilson(n_correct, n_questions)
        logger.warning(
            "%d questions calibrate: accuracy without any step is only known to lie between %.2f "
            "and %.2f (%.2f wide), and what is fitted is no surer; use 300 questions",
            n_questions,
            interval.low,
            interval.high,
            interval.high - interval.low,
        )


def _projection(vectors: Sequence[Sequence[float]], n_most: int) -> Projection:
    """The first principal components; none where some have no vectors."""
    if not all(vectors):
        return Projection()
    from sklearn.decomposition import PCA  # type: ignore[import-untyped]

    rows = np.array(vectors, dtype=float)
    n_components = min(n_most, *rows.shape)
    fitted = PCA(n_components, copy=False, svd_solver="full").fit(rows)
    return Projection(
        mean=tuple(map(float, fitted.mean_)),
        components=tuple(tuple(map(float, row)) for row in fitted.components_),
    )


def _question(explored: Explored) -> CalibrationQuestion:
    question, observations = explored.question, explored.visits[ROOT].state.observations
    assert observations.answer is not None
    return CalibrationQuestion(
        id=question.id,
        text=question.text,
        choices=question.choices,
        difficulty=question.difficulty and question.difficulty.value,
        answer=_seen_answer(observations.answer),
        draft=observations.draft and _draft(observations.draft),
        samples=observations.samples,
        tentative=observations.tentative and _draft(observations.tentative),
        vector=observations.vector,
        scores=observations.scores,
        outcomes=explored.outcomes,
    )


def _seen_answer(now: AnswerNow) -> SeenAnswer:
    answer = now.answer
    return SeenAnswer(
        text=answer.text,
        choice=answer.choice,
        parsed=answer.parsed,
        scores=answer.scores,
        probabilities=now.probabilities,
        tokens=_tokens(now.tokens),
        hidden_state=encode_state(now.hidden_state),
    )


def _draft(draft: Draft) -> SeenDraft:
    return SeenDraft(text=draft.text, tokens=_tokens(draft.tokens))


def _tokens(tokens: Sequence[TokenDetail]) -> tuple[tuple[str, float, float, float], ...]:
    return tuple((token.text, token.log_probability, token.entropy, token.gap) for token in tokens)
