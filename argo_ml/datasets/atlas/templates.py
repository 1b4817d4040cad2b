"""Which descriptions become questions: one generator per shape, by the number of facts it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from argo_ml.datasets.atlas.facts import Constraint, Description, Entity, EntityKind, FactTable
from argo_ml.types import Difficulty


@dataclass(frozen=True, slots=True)
class Query:
    """A question for an attribute, or ``name``, of the entity that a description singles out."""

    description: Description
    attribute: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Attributes that identify an entity, that can be asked, and that lead to another entity."""

    identifying: tuple[str, ...]
    askable: tuple[str, ...]
    leading: tuple[str, ...]


VOCABULARY: Mapping[EntityKind, Vocabulary] = {
    EntityKind.COUNTRY: Vocabulary(
        identifying=("capital", "calling_code", "domain", "code"),
        askable=(
            "capital",
            "currency",
            "calling_code",
            "domain",
            "code",
            "region",
            "population",
            "area",
        ),
        leading=("borders",),
    ),
    EntityKind.ELEMENT: Vocabulary(
        identifying=("symbol", "atomic_number"),
        askable=(
            "symbol",
            "atomic_number",
            "period",
            "group",
            "category",
            "weight",
            "discovery_year",
            "melting_point",
            "boiling_point",
        ),
        leading=("after", "before", "below", "above"),
    ),
}

QueryTemplate = Callable[[FactTable, Entity], Iterator[Query]]


def _all(*constraints: Constraint) -> Description:
    return Description(constraints)


def _known(entity: Entity, attribute: str) -> Iterator[Constraint]:
    for value in entity.facts.get(attribute, ()):
        yield Constraint(attribute, value)


def _asking(table: FactTable, description: Description) -> Iterator[Query]:
    """Every attribute asked of one description, except those it gives."""
    given = _attributes(description)
    if given & {"domain", "code"}:
        given |= {"domain", "code"}
    if given & {"after", "before"}:
        given |= {"atomic_number"}
    for attribute in VOCABULARY[table.kind].askable:
        if attribute not in given:
            yield Query(description, attribute)


def _attributes(description: Description) -> set[str]:
    nested = [c.value for c in description.constraints if isinstance(c.value, Description)]
    return {c.attribute for c in description.constraints}.union(*map(_attributes, nested))


def by_name(table: FactTable, entity: Entity) -> Iterator[Query]:
    return _asking(table, _all(Constraint("name", entity.name)))


def name_by_one_fact(table: FactTable, entity: Entity) -> Iterator[Query]:
    words = VOCABULARY[table.kind]
    for attribute in (*words.identifying, *words.leading, *_shared(table)[:1]):
        for constraint in _known(entity, attribute):
            yield Query(_all(constraint), "name")


def by_identifier(table: FactTable, entity: Entity) -> Iterator[Query]:
    for attribute in VOCABULARY[table.kind].identifying:
        for constraint in _known(entity, attribute):
            yield from _asking(table, _all(constraint))


def by_relation(table: FactTable, entity: Entity) -> Iterator[Query]:
    for description in _related(entity, VOCABULARY[table.kind].leading):
        yield from _asking(table, description)


def name_by_two(table: FactTable, entity: Entity) -> Iterator[Query]:
    for description in _pairs(table, entity):
        yield Query(description, "name")


def by_two(table: FactTable, entity: Entity) -> Iterator[Query]:
    for description in _pairs(table, entity):
        yield from _asking(table, description)


def name_by_bridge(table: FactTable, entity: Entity) -> Iterator[Query]:
    for bridge in _bridged(table, entity):
        yield Query(_all(bridge), "name")


def by_bridge(table: FactTable, entity: Entity) -> Iterator[Query]:
    for bridge in _bridged(table, entity):
        yield from _asking(table, _all(bridge))


def name_by_bridge_and_fact(table: FactTable, entity: Entity) -> Iterator[Query]:
    others = [
        constraint
        for attribute in ("borders", *_shared(table))
        for constraint in _known(entity, attribute)
    ]
    for bridge in _bridged(table, entity):
        for other in others:
            yield Query(_all(other, bridge), "name")


def name_by_three(table: FactTable, entity: Entity) -> Iterator[Query]:
    for pair in combinations(_known(entity, "borders"), 2):
        for attribute in _shared(table):
            for constraint in _known(entity, attribute):
                yield Query(_all(*pair, constraint), "name")


def _shared(table: FactTable) -> tuple[str, ...]:
    """Attributes that several entities share."""
    return ("currency", "region") if table.kind is EntityKind.COUNTRY else ("period", "group")


def _related(entity: Entity, attributes: tuple[str, ...]) -> Iterator[Description]:
    for attribute in attributes:
        for constraint in _known(entity, attribute):
            yield _all(constraint)


def _pairs(table: FactTable, entity: Entity) -> Iterator[Description]:
    borders = list(_known(entity, "borders"))
    shared = [c for attribute in _shared(table) for c in _known(entity, attribute)]
    yield from (_all(*pair) for pair in combinations(borders, 2))
    yield from (_all(border, other) for border in borders for other in shared)
    yield from (
        _all(*pair) for pair in combinations(shared, 2) if pair[0].attribute != pair[1].attribute
    )


def _bridged(table: FactTable, entity: Entity) -> Iterator[Constraint]:
    """Relations to another entity that is not named but identified: two facts."""
    words = VOCABULARY[table.kind]
    for attribute in words.leading:
        for name in entity.facts.get(attribute, ()):
            for identifying in words.identifying:
                for constraint in _known(table.by_name[name], identifying):
                    yield Constraint(attribute, _all(constraint))


TEMPLATES: Mapping[Difficulty, tuple[QueryTemplate, ...]] = {
    Difficulty.EASY: (by_name, name_by_one_fact),
    Difficulty.MEDIUM: (by_identifier, by_relation, name_by_two, name_by_bridge),
    Difficulty.HARD: (by_two, by_bridge, name_by_bridge_and_fact, name_by_three),
}
"""Difficulty -> shapes. Easy questions take one fact, medium two, hard three: each constraint but a
name is one, and so is what is asked unless it is the name."""
