"""From templates to questions: only what one entity certainly answers and no other can."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from argo_ml.datasets.atlas.choices import N_DISTRACTORS, distractors
from argo_ml.datasets.atlas.facts import Description, Entity, EntityKind, FactTable
from argo_ml.datasets.atlas.templates import TEMPLATES, Query, QueryTemplate
from argo_ml.datasets.atlas.wording import question_text, squad_words
from argo_ml.randomness import derived_rng
from argo_ml.types import Difficulty, Question

_MOST_PER_TEMPLATE = {EntityKind.COUNTRY: 1800, EntityKind.ELEMENT: 500}
"""Keeps one shape, and chemistry, from drowning the others."""

_CHOICES_SEED = 0
"""Distractors belong to the question; only their order follows an experiment's seed."""


def generate(table: FactTable) -> list[Question]:
    """All questions about one kind of entity, the gold choice first, ordered by id."""
    questions = {
        question.id: question
        for difficulty, templates in TEMPLATES.items()
        for template in templates
        for question in _of_template(table, difficulty, template)
    }
    return [questions[question_id] for question_id in sorted(questions)]


def structure(description: Description) -> list[list[object]]:
    """A description as JSON values: attribute, and a text or the same again."""
    return [
        [
            constraint.attribute,
            structure(constraint.value)
            if isinstance(constraint.value, Description)
            else constraint.value,
        ]
        for constraint in description.constraints
    ]


def _of_template(
    table: FactTable, difficulty: Difficulty, template: QueryTemplate
) -> Iterator[Question]:
    queries: dict[str, tuple[Query, Entity]] = {}
    for entity in table.entities:
        for query in template(table, entity):
            if _is_sound(table, query, entity):
                queries[_query_id(table, query, difficulty)] = (query, entity)
    n_made = 0
    for question_id in sorted(queries):
        question = _question(table, difficulty, question_id, *queries[question_id])
        if question is not None:
            yield question
            n_made += 1
        if n_made == _MOST_PER_TEMPLATE[table.kind]:
            return


def _is_sound(table: FactTable, query: Query, entity: Entity) -> bool:
    return (
        entity.value(query.attribute) is not None and _described(table, query.description) is entity
    )


@lru_cache(maxsize=1024)
def _described(table: FactTable, description: Description) -> Entity | None:
    """The entity that the description singles out with no constraint too many."""
    entity = table.resolve(description)
    if entity is None or not table.is_minimal(description):
        return None
    return None if _returns(table, description, entity) else entity


def _returns(table: FactTable, description: Description, entity: Entity) -> bool:
    """Whether a bridge is named elsewhere in the description, or is the answer itself."""
    named = {c.value for c in description.constraints if isinstance(c.value, str)}
    return any(b is entity or b.name in named for b in table.bridges(description))


def _query_id(table: FactTable, query: Query, difficulty: Difficulty) -> str:
    content = f"{table.kind.value}/{query.attribute}/{_key(query.description)}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"atlas-{difficulty.value}-{digest}"


def _key(description: Description) -> str:
    """A text that is the same for the same constraints in any order."""
    parts = [
        f"{c.attribute}={_key(c.value) if isinstance(c.value, Description) else c.value}"
        for c in description.constraints
    ]
    return "(" + "&".join(sorted(parts)) + ")"


def _question(
    table: FactTable, difficulty: Difficulty, question_id: str, query: Query, answer: Entity
) -> Question | None:
    """The question; None where its text gives the answer away or there are too few distractors."""
    gold = answer.value(query.attribute)
    text = question_text(table, query.description, query.attribute)
    if gold is None or _occurs(gold, text) or _names_answer(query, answer, gold):
        return None
    rng = derived_rng(_CHOICES_SEED, question_id, "distractors")
    wrong = distractors(table, query, answer, rng)
    if len(wrong) < N_DISTRACTORS:
        return None
    bridges = [bridge.id for bridge in table.bridges(query.description)]
    metadata: Mapping[str, object] = {
        "kind": table.kind.value,
        "where": structure(query.description),
        "asked": query.attribute,
    }
    return Question(
        id=question_id,
        text=text,
        answers=(gold,),
        choices=(gold, *wrong),
        gold=(0,),
        difficulty=difficulty,
        gold_passages=tuple(dict.fromkeys([*bridges, answer.id])),
        metadata=metadata,
    )


def _occurs(gold: str, text: str) -> bool:
    return f" {squad_words(gold)} " in f" {squad_words(text)} "


def _names_answer(query: Query, answer: Entity, gold: str) -> bool:
    """Whether a question by name has an answer that repeats it: Panama, Panama City."""
    by_name = query.description.constraints[0].attribute == "name"
    return by_name and squad_words(answer.name) in squad_words(gold)
