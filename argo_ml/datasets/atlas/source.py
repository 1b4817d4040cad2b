"""The atlas as a source of questions and as a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argo_ml.config import CacheFields
from argo_ml.datasets.atlas.countries import load_countries
from argo_ml.datasets.atlas.documents import document
from argo_ml.datasets.atlas.elements import load_elements
from argo_ml.datasets.atlas.facts import EntityKind, FactTable
from argo_ml.datasets.atlas.generation import generate
from argo_ml.datasets.atlas.kept import kept_documents, kept_questions
from argo_ml.datasets.base import Dataset, LoadedQuestions, OwnDocuments
from argo_ml.types import Document, Question

SOURCE = "argo_ml atlas"


@cache
def atlas_tables() -> tuple[FactTable, ...]:
    return (
        FactTable(EntityKind.COUNTRY, load_countries()),
        FactTable(EntityKind.ELEMENT, load_elements()),
    )


def atlas_documents() -> list[Document]:
    """One document per country and element, each short enough to be one passage."""
    return [document(table, entity) for table in atlas_tables() for entity in table.entities]


@dataclass(frozen=True, slots=True)
class Atlas:
    """Questions that take one fact (easy), two (medium) or three (hard) of `atlas_documents`.

    They are made once and kept in ``folder``, where one is given.
    """

    folder: Path | None = None

    def load(self) -> LoadedQuestions:
        return LoadedQuestions(_questions(self.folder), SOURCE)


@cache
def _questions(folder: Path | None) -> tuple[Question, ...]:
    return generated_questions() if folder is None else kept_questions(folder, generated_questions)


@cache
def generated_questions() -> tuple[Question, ...]:
    """All questions, made from the facts."""
    return tuple(question for table in atlas_tables() for question in generate(table))


def _folder(spec: CacheFields) -> Path:
    return spec.cache_path / "atlas"


ATLAS = Dataset(
    open=lambda spec: Atlas(_folder(spec)),
    documents=lambda spec: OwnDocuments(SOURCE, kept_documents(_folder(spec), atlas_documents)),
    brings_questions=True,
)
