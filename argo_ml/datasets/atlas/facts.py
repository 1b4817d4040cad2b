"""What the atlas knows: entities, their facts, and the descriptions that questions make of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property


class EntityKind(str, Enum):
    COUNTRY = "country"
    ELEMENT = "element"


@dataclass(frozen=True, slots=True)
class Entity:
    """A country or a chemical element.

    ``facts`` maps an attribute to its values as texts: an absent attribute is unknown, an empty
    tuple is known to be none. ``uncertain`` holds values that sources contradict each other about
    or that only part of a fact supports: they may hold or not. ``phrase`` is the name inside a
    sentence, ``family`` what distractors preferably share, ``id`` also the id of its passage.
    """

    id: str
    kind: EntityKind
    name: str
    phrase: str
    family: str
    facts: Mapping[str, tuple[str, ...]]
    uncertain: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def value(self, attribute: str) -> str | None:
        """The value of an attribute that is known to have exactly one."""
        values = self.facts.get(attribute, ())
        return values[0] if len(values) == 1 and not self.uncertain.get(attribute) else None

    def holds(self, attribute: str, value: str) -> bool | None:
        """Whether the attribute has the value; None where that is not known."""
        if attribute not in self.facts or value in self.uncertain.get(attribute, ()):
            return None
        return value in self.facts[attribute]


@dataclass(frozen=True, slots=True)
class Constraint:
    """An attribute has a value: a text, or the name of whatever a description singles out."""

    attribute: str
    value: str | Description


@dataclass(frozen=True, slots=True)
class Description:
    """What singles an entity out: all of the constraints hold."""

    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class ConstraintMatch:
    """Names of the entities that a constraint fits for certain, and of all that it may fit."""

    certain: frozenset[str]
    possible: frozenset[str]


_NO_MATCH = ConstraintMatch(frozenset(), frozenset())


class FactTable:
    """All entities of one kind, with an index from constraints to the entities they fit."""

    def __init__(self, kind: EntityKind, entities: Sequence[Entity]) -> None:
        self.kind = kind
        self.entities = tuple(entities)

    @cached_property
    def by_name(self) -> Mapping[str, Entity]:
        return {entity.name: entity for entity in self.entities}

    @cached_property
    def families(self) -> Mapping[str, Sequence[Entity]]:
        families: dict[str, list[Entity]] = {}
        for entity in self.entities:
            families.setdefault(entity.family, []).append(entity)
        return families

    @cached_property
    def _index(self) -> Mapping[tuple[str, str], ConstraintMatch]:
        certain: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        doubtful: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for entity in self.entities:
            for attribute, values in entity.facts.items():
                for value in values:
                    certain[attribute, value].add(entity.name)
            for attribute, uncertain in entity.uncertain.items():
                for value in uncertain:
                    doubtful[attribute, value].add(entity.name)
        return {
            pair: ConstraintMatch(
                frozenset(names - doubtful[pair]),
                frozenset(names | doubtful[pair] | self._unknown(pair[0])),
            )
            for pair, names in certain.items()
        }

    def _unknown(self, attribute: str) -> set[str]:
        return {entity.name for entity in self.entities if attribute not in entity.facts}

    def match(self, constraint: Constraint) -> ConstraintMatch:
        """The entities that a constraint singles out; none where a bridge is not unique."""
        value = constraint.value
        if isinstance(value, Description):
            bridge = self.resolve(value)
            if bridge is None:
                return _NO_MATCH
            value = bridge.name
        return self._index.get((constraint.attribute, value), _NO_MATCH)

    def resolve(self, description: Description) -> Entity | None:
        """The entity that the description certainly fits while it can fit no other."""
        matches = [self.match(constraint) for constraint in description.constraints]
        certain = frozenset.intersection(*(match.certain for match in matches))
        if len(certain) != 1 or certain != frozenset.intersection(
            *(match.possible for match in matches)
        ):
            return None
        [name] = certain
        return self.by_name[name]

    def bridges(self, description: Description) -> Iterator[Entity]:
        """The entities that nested descriptions single out."""
        for constraint in description.constraints:
            if isinstance(constraint.value, Description):
                yield from self.bridges(constraint.value)
                bridge = self.resolve(constraint.value)
                if bridge is not None:
                    yield bridge

    def is_minimal(self, description: Description) -> bool:
        """Whether every constraint is needed: without it, several entities certainly fit."""
        matches = [self.match(constraint).certain for constraint in description.constraints]
        return len(matches) == 1 or all(
            len(frozenset.intersection(*matches[:index], *matches[index + 1 :])) > 1
            for index in range(len(matches))
        )
