"""Distractors: wrong for certain, of the same kind as the answer, and plausible."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from argo_ml.datasets.atlas.facts import Entity, FactTable
from argo_ml.datasets.atlas.templates import Query

N_DISTRACTORS = 3

_MIN_DIFFERENCE: Mapping[str, float] = {
    "population": 0.2,
    "area": 0.2,
    "weight": 0.02,
    "melting_point": 0.05,
    "boiling_point": 0.05,
}
"""Measured attribute -> relative difference below which two values could both be called right."""

_TOKENS = re.compile(r"[^\W_]+")


def distractors(
    table: FactTable, query: Query, answer: Entity, rng: random.Random
) -> tuple[str, ...]:
    """Three texts, or fewer where the facts do not give three; in the order drawn."""
    gold = answer.value(query.attribute) or ""
    chosen: list[str] = []
    given = {c.value for c in query.description.constraints} if query.attribute == "name" else set()
    for entity in _candidates(table, query, answer, rng):
        value = entity.value(query.attribute)
        if value is None or value in given or answer.holds(query.attribute, value) is not False:
            continue
        if all(_differ(query.attribute, value, other) for other in (gold, *chosen)):
            chosen.append(value)
        if len(chosen) == N_DISTRACTORS:
            break
    return tuple(chosen)


def _candidates(
    table: FactTable, query: Query, answer: Entity, rng: random.Random
) -> Iterator[Entity]:
    """Entities that fit part of the description, then the answer's family, then all others."""
    constraints = query.description.constraints
    near = frozenset[str]().union(*(table.match(c).certain for c in constraints)) - {answer.name}
    if len(near) < len(table.entities) // 2:
        yield from _shuffled([table.by_name[name] for name in sorted(near)], rng)
    yield from _shuffled(table.families[answer.family], rng)
    yield from _shuffled(table.entities, rng)


def _shuffled(entities: Sequence[Entity], rng: random.Random) -> Iterator[Entity]:
    """Draws one at a time: most questions need the first few only."""
    left = list(entities)
    while left:
        index = rng.randrange(len(left))
        left[index], left[-1] = left[-1], left[index]
        yield left.pop()


def _differ(attribute: str, value: str, other: str) -> bool:
    """Neither text says the other one («Won» in «North Korean Won») or measures the same."""
    if attribute in _MIN_DIFFERENCE:
        number, other_number = _number(value), _number(other)
        largest = max(abs(number), abs(other_number))
        return abs(number - other_number) > _MIN_DIFFERENCE[attribute] * largest
    words, other_words = _words(value), _words(other)
    return not words <= other_words and not other_words <= words


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_TOKENS.findall(text.lower()))


def _number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))
