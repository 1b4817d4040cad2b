"""A dataset that brings its own documents: the planets and their number of moons."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.datasets import Dataset, LoadedQuestions, OwnDocuments
from argo_ml.types import Document, Question

MOONS = {"Mercury": 0, "Earth": 1, "Mars": 2, "Neptune": 16, "Uranus": 28, "Jupiter": 115}
SOURCE = "argo_ml_example planets"


@dataclass(frozen=True, slots=True)
class Planets:
    def load(self) -> LoadedQuestions:
        choices = tuple(map(str, MOONS.values()))
        questions = tuple(
            Question(
                id=planet,
                text=f"Which number of moons does {planet} have?",
                answers=(str(n_moons),),
                choices=choices,
                gold=(choices.index(str(n_moons)),),
            )
            for planet, n_moons in MOONS.items()
        )
        return LoadedQuestions(questions, SOURCE)


def planet_documents() -> tuple[Document, ...]:
    return tuple(
        Document(planet, f"{planet} has {n_moons} moons.", title=planet, source=SOURCE)
        for planet, n_moons in MOONS.items()
    )


PLANETS = Dataset(
    open=lambda spec: Planets(),
    documents=lambda spec: OwnDocuments(SOURCE, planet_documents()),
    brings_questions=True,
)
