"""Calibrations without any model: a made-up world, and questions written by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from argo_ml.calibration.building import Explored, Visit, build_calibration
from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.fitted_models import LinearModel, ProbabilityModel
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import (
    Calibration,
    CalibrationQuestion,
    Projection,
    SeenAnswer,
    SeenDraft,
)
from argo_ml.datasets.answers import grade
from argo_ml.policies.base import AnswerNow, Draft, Observations, State
from argo_ml.randomness import derived_rng
from argo_ml.types import Action, Answer, Difficulty, Evidence, Passage, Question, Step, TokenDetail

ACTIONS = (Action.RETRIEVE, Action.REASON)
Actions = tuple[Action, ...]
RIGHT = "the right text"
WORLD_CHOICES = ("alpha", "beta", "gamma", "delta")


@dataclass(frozen=True)
class World:
    """A seeded world that policies can be calibrated on and tried in.

    Every question is easy or not, and helped by retrieval or not; its answers, how sure they look,
    and its vector follow from that and from noise. With ``has_choices`` all have choices, scored.
    """

    has_choices: bool = True
    n_questions: int = 60
    depth: int = 2
    """Steps explored."""
    n_dimensions: int = 8
    """Dimensions of a question's vector."""
    seed: int = 0

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        return tuple(map(self._question, range(self.n_questions)))

    @cached_property
    def calibration(self) -> Calibration:
        """The calibration that exploring every sequence of actions makes."""
        explored = [self._explored(question) for question in self.questions]
        return build_calibration(explored, {"made_up": True}, {}, self.depth)

    def state(self, question: Question, actions: Actions) -> State:
        """After ``actions``, with everything looked at before each of them."""
        steps = tuple(self._step(question, actions[: n + 1]) for n in range(len(actions)))
        draws = self._rng(question, "drafts")
        observations = Observations(
            answers=tuple(self.answer(question, actions[:n]) for n in range(len(actions) + 1)),
            draft=self._draft(question, (), draws),
            samples=tuple(self._text(question, (), draws) for _ in range(3)),
            tentative=self._draft(question, actions, self._rng(question, actions, "tentative")),
            vector=self._vector(question),
            scores={"sureness": self._rng(question, "score").gauss(0.0, 1.0)},
        )
        return State(question, 0.0, steps, observations)

    def answer(self, question: Question, actions: Actions, noise: str = "") -> AnswerNow:
        """The answer that an episode would give after ``actions``."""
        draws = self._rng(question, actions, "answer", noise)
        sureness = self._sureness(question, actions)
        if not question.choices:
            draft = self._draft(question, actions, draws)
            return AnswerNow(Answer(draft.text), tokens=draft.tokens)
        [gold] = question.gold
        scores = [draws.gauss(0, 1) for _ in question.choices]
        scores[gold] += sureness
        weights = [math.exp(score) for score in scores]
        choice = scores.index(max(scores))
        answer = Answer(question.choices[choice], choice, scores=tuple(scores))
        return AnswerNow(answer, tuple(weight / sum(weights) for weight in weights))

    def is_right(self, question: Question, answer: AnswerNow) -> bool:
        return grade(question, answer.answer).correct

    def _question(self, number: int) -> Question:
        draws = derived_rng(self.seed, "question", number)
        difficulty = draws.choice(list(Difficulty))
        asks = draws.choice(("Who made", "When was", "Why does", "How many rest on"))
        question = Question(
            id=f"made-up-{number}",
            text=f"{asks} thing {number} and {'what came of it, ' * draws.randrange(3)}then?",
            difficulty=difficulty,
        )
        if self.has_choices:
            return replace(
                question, choices=WORLD_CHOICES, gold=(draws.randrange(len(WORLD_CHOICES)),)
            )
        return replace(question, answers=(RIGHT,))

    def _explored(self, question: Question) -> Explored:
        sequences = [
            actions
            for length in range(self.depth + 1)
            for actions in product(ACTIONS, repeat=length)
        ]
        visits = {}
        for actions in sequences:
            state = self.state(question, actions)
            answer = state.observations.answers[-1]
            assert answer is not None
            values = tuple(action.value for action in actions)
            visits[values] = Visit(state, self.is_right(question, answer))
        retrieve = Action.RETRIEVE.value
        few, full = (self.answer(question, (Action.RETRIEVE,), noise) for noise in ("few", "full"))
        outcomes = {
            "none": visits[()].correct,
            "retrieve": visits[(retrieve,)].correct,
            "retrieve_1": self.is_right(question, few),
            "retrieve_5": self.is_right(question, full),
            "multi": visits[(retrieve,) * self.depth].correct,
        }
        return Explored(question, visits, outcomes)

    def _step(self, question: Question, actions: Actions) -> Step:
        draws, action = self._rng(question, actions, "step"), actions[-1]
        passage = Passage(f"{question.id}-{len(actions)}", f"Of {question.id}: {RIGHT}.")
        evidence = (
            (Evidence(passage, draws.uniform(0.2, 0.9)),) if action is Action.RETRIEVE else ()
        )
        return Step("sub-question", action, "sub-answer", 0.0, cost=0.0, evidence=evidence)

    def _draft(self, question: Question, actions: Actions, draws: random.Random) -> Draft:
        text = self._text(question, actions, draws)
        spread = math.exp(-self._sureness(question, actions))
        tokens = []
        for number, word in enumerate(text.split()):
            doubt = spread * draws.uniform(0.1, 1.0)
            gap = 2.0 / (1.0 + doubt)
            tokens.append(TokenDetail(f"{' ' * bool(number)}{word}", -doubt, doubt, gap))
        return Draft(text, tuple(tokens))

    def _text(self, question: Question, actions: Actions, draws: random.Random) -> str:
        is_right = draws.random() < 1 / (1 + math.exp(-self._sureness(question, actions)))
        return RIGHT if is_right else f"some wrong text {draws.randrange(3)}"

    def _sureness(self, question: Question, actions: Actions) -> float:
        """How far the question is known after ``actions``."""
        ease, helped = self._traits(question)
        n_retrieved = actions.count(Action.RETRIEVE)
        return ease + helped * n_retrieved + 0.2 * (len(actions) - n_retrieved)

    def _traits(self, question: Question) -> tuple[float, float]:
        draws = self._rng(question, "traits")
        return draws.gauss(0.3, 1.0), draws.gauss(0.8, 1.0)

    def _vector(self, question: Question) -> tuple[float, ...]:
        draws = self._rng(question, "vector")
        noise = [draws.gauss(0, 0.3) for _ in range(self.n_dimensions - 2)]
        return (*self._traits(question), *noise)

    def _rng(self, question: Question, *key: object) -> random.Random:
        named = [
            "".join(action.value for action in part) if isinstance(part, tuple) else part
            for part in key
        ]
        return derived_rng(self.seed, question.id, *named)


CHOICE_WORLD, OPEN_WORLD = World(has_choices=True), World(has_choices=False)
WORLDS: Sequence[World] = (CHOICE_WORLD, OPEN_WORLD)

TokenRows = Sequence[tuple[str, float, float, float]]
"""Text, log-probability, entropy and gap of each token."""


def seen_question(
    outcomes: Mapping[str, bool],
    *,
    choices: tuple[str, ...] = (),
    probabilities: tuple[float, ...] = (),
    tokens: TokenRows = (),
    draft: TokenRows | None = None,
    samples: tuple[str, ...] = (),
    tentative: TokenRows | None = None,
    vector: tuple[float, ...] = (),
    text: str = "What is asked?",
    difficulty: str | None = None,
) -> CalibrationQuestion:
    """A question written by hand; the choices of given ``probabilities`` need no names."""
    named = choices or tuple(f"choice {number}" for number in range(len(probabilities)))
    choice = probabilities.index(max(probabilities)) if probabilities else None
    return CalibrationQuestion(
        id=text,
        text=text,
        choices=named,
        difficulty=difficulty,
        answer=SeenAnswer(
            text="an answer",
            choice=choice,
            parsed=True,
            probabilities=probabilities,
            tokens=tuple(tokens),
        ),
        draft=None if draft is None else SeenDraft(text="a draft", tokens=tuple(draft)),
        samples=samples,
        tentative=None if tentative is None else SeenDraft(text="one", tokens=tuple(tentative)),
        vector=vector,
        outcomes=outcomes,
    )


def recorded_calibration(
    questions: Sequence[CalibrationQuestion], nodes: Sequence[Node] = (), horizon: int = 1
) -> Calibration:
    """A calibration as a replay makes it: outcomes without explored histories, but for ``nodes``.

    p-hat is the largest probability of the answer, whatever else was seen.
    """
    others = (0.0,) * (len(FEATURES) - 1)
    linear = LinearModel(
        means=(0.0, *others),
        scales=(1.0,) * len(FEATURES),
        weights=(1.0, *others),
        intercept=0.0,
    )
    probability = ProbabilityModel(
        linear=linear,
        mapped_by="isotonic",
        points=((0.0, 0.0), (1.0, 1.0)),
        base_rate=0.5,
        brier={},
    )
    return Calibration(
        spec={},
        digests={},
        horizon=horizon,
        feature_names=tuple(FEATURES),
        projection=Projection(),
        probability=probability,
        gains={},
        questions=tuple(questions),
        nodes=tuple(nodes),
    )
