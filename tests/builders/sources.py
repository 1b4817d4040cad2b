"""Calibrations of questions from two sources."""

from __future__ import annotations

import random

from argo_ml.calibration import Calibration
from argo_ml.calibration.building import ROOT, Explored, Visit, build_calibration
from argo_ml.policies.base import AnswerNow, Observations, State
from argo_ml.types import Action, Answer, Evidence, Passage, Question, Step

RETRIEVED = Step("", Action.RETRIEVE, "", 0.0, 0.0, evidence=(Evidence(Passage("p", "p"), 0.5),))


def explored(number: int, text: str, source: str, before: bool, after: bool) -> Explored:
    question = Question(f"q{number}", text, answers=("a",), metadata={"source": source})
    answers = [AnswerNow(Answer("a" if right else "b")) for right in (before, after)]
    root = State(question, observations=Observations(answers=(answers[0],)))
    later = State(question, steps=(RETRIEVED,), observations=Observations(answers=tuple(answers)))
    visits = {ROOT: Visit(root, before), ("retrieve",): Visit(later, after)}
    return Explored(question, visits, {"none": before, "retrieve": after})


def calibrated(n_questions: int, helps_wiki: float, helps_news: float) -> Calibration:
    """Every other question is from a wiki. Nobody knows anything without a retrieval, which helps
    the given share."""
    draws = random.Random(3)
    made = [
        explored(
            number,
            f"Who is number {number}?" if number % 4 < 2 else f"When was number {number}?",
            "wiki" if number % 2 else "news",
            False,
            draws.random() < (helps_wiki if number % 2 else helps_news),
        )
        for number in range(n_questions)
    ]
    return build_calibration(made, {}, {}, horizon=1)


def answered(source: str | None) -> State:
    """A new question, from a source or from nobody knows where, whose answer was looked at."""
    metadata = {} if source is None else {"source": source}
    question = Question("new", "Who is new?", answers=("a",), metadata=metadata)
    return State(question, observations=Observations(answers=(AnswerNow(Answer("b")),)))
