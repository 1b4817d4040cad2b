"""A planted problem: who knows what, and how well it shows, is set; so the best policy is known.

Without evidence the model is right on the questions that it knows. With evidence it is right on a
set share of all. Reasoning changes nothing. How sure it looks without evidence says whether it
knows, in a set share of the questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from argo_ml.calibration import Calibration
from argo_ml.calibration.building import build_calibration
from argo_ml.config import CalibrateSpec, CellSpec, SweepSpec, build
from argo_ml.corpus.base import Vectors
from argo_ml.corpus.opening import Corpus
from argo_ml.datasets import QuestionSet
from argo_ml.exploring.calibrate import explore
from argo_ml.models.base import Completion, Generation, Prompt, Scores, Scoring
from argo_ml.models.cache.caching import CallCache
from argo_ml.randomness import derived_rng
from argo_ml.sweep.context import LocalContext
from argo_ml.types import Evidence, Passage, Question

CHOICES = ("right", "wrong", "other", "last")
SURE, UNSURE, READ = 0.9, 0.4, 0.95
"""Probabilities that the model gives to its choice: sure, unsure, and with evidence."""


@dataclass(frozen=True)
class Problem:
    """``known`` is the share of questions that the model knows, ``readable`` that of those that it
    gets right with evidence, ``honesty`` how often it looks sure exactly where it knows."""

    known: float = 0.5
    readable: float = 0.95
    honesty: float = 1.0
    seed: int = 1

    def knows(self, number: int) -> bool:
        return self._drawn(number, "knows") < self.known

    def reads(self, number: int) -> bool:
        return self._drawn(number, "reads") < self.readable

    def looks_sure(self, number: int) -> bool:
        is_honest = self._drawn(number, "honest") < self.honesty
        return self.knows(number) if is_honest else self._drawn(number, "sure") < self.known

    def sureness_of_knowing(self, looks_sure: bool) -> float:
        """P(knows | how it looks)."""
        shown = self.known if looks_sure else 1 - self.known
        by_chance = (1 - self.honesty) * shown
        joint = self.known * (self.honesty * looks_sure + by_chance)
        other = (1 - self.known) * (self.honesty * (not looks_sure) + by_chance)
        return joint / (joint + other)

    def best_utility(self, number: int, price: float) -> float:
        """Utility of this question under the best policy that sees how the model looks."""
        stay = self.sureness_of_knowing(self.looks_sure(number))
        if self.readable - price > stay:
            return self.reads(number) - price
        return float(self.knows(number))

    def _drawn(self, number: int, what: str) -> float:
        return derived_rng(self.seed, number, what).random()


@dataclass(frozen=True)
class PlantedModel:
    problem: Problem
    identity: str = "planted"

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return [Completion(f"text {len(request.prompt.turn)}", 1, 2, 0.0) for request in requests]

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return [self._score(request) for request in requests]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1 for _ in texts]

    def _score(self, request: Scoring) -> Scores:
        number, problem = number_of(request.prompt), self.problem
        if "Passages:" in request.prompt.turn:
            is_right, probability = problem.reads(number), READ
        else:
            is_right = problem.knows(number)
            probability = SURE if problem.looks_sure(number) else UNSURE
        chosen = request.choices.index("right" if is_right else "wrong")
        shares = np.full(len(request.choices), (1 - probability) / (len(request.choices) - 1))
        shares[chosen] = probability
        return Scores(tuple(map(float, np.log(shares))), (1,) * len(shares), 1, 0.0)


class PlantedRetriever:
    """Always finds the one passage."""

    def retrieve(self, queries: Sequence[str], top_k: int) -> list[tuple[Evidence, ...]]:
        return [(Evidence(Passage("p", "a passage"), 0.8),) for _ in queries]

    def embed(self, queries: Sequence[str]) -> Vectors:
        rows = [[derived_rng(0, query, axis).gauss(0, 1) for axis in range(6)] for query in queries]
        vectors = np.asarray(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def number_of(prompt: Prompt) -> int:
    found = re.search(r"number (\d+)\?", prompt.turn)
    assert found is not None
    return int(found[1])


def questions(first: int, n_questions: int) -> QuestionSet:
    made = tuple(
        Question(f"q{number}", f"What is number {number}?", choices=CHOICES, gold=(0,))
        for number in range(first, first + n_questions)
    )
    return QuestionSet(made, f"{first}+{n_questions}", "planted")


def planted_context(
    problem: Problem,
    asked: QuestionSet,
    folder: Path,
    calibration: Calibration | None = None,
) -> LocalContext[CellSpec]:
    corpus = Corpus(PlantedRetriever(), "corpus", "planted", 1, "planted", was_built=False)
    cache = CallCache(folder / f"calls-{hash(problem)}.sqlite")
    spec = calibrate_spec(folder).cell()
    return LocalContext(spec, asked, corpus, PlantedModel(problem), cache, calibration)


def calibrate_spec(folder: Path) -> CalibrateSpec:
    return build(CalibrateSpec, {"max_steps": 2, "cache_dir": folder, "shard_size": 100})


def calibrate(problem: Problem, n_questions: int, folder: Path) -> Calibration:
    """The calibration of the first questions, two steps deep."""
    context = planted_context(problem, questions(0, n_questions), folder)
    spec = calibrate_spec(folder)
    explorations = explore(spec, context, context.engine("calibration"))
    described = {**spec.model_dump(mode="json"), "max_new_tokens": spec.cell().generation_limit}
    explored = [exploration.explored for exploration in explorations]
    return build_calibration(explored, described, context.digests, spec.max_steps)


def sweep_spec(folder: Path, **values: object) -> SweepSpec:
    return build(
        SweepSpec,
        {"calibration": "planted", "cache_dir": folder, "difficulty": "all", **values},
    )
