"""How descriptions and questions are put into words."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from argo_ml.datasets.atlas.facts import Constraint, Description, EntityKind, FactTable

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

RELATIONAL = frozenset({"borders", "after", "before", "below", "above"})
"""Attributes whose values are names of entities of the same kind."""

_QUESTIONS = {
    "capital": "What is the capital of {}?",
    "currency": "What is the currency of {}?",
    "calling_code": "What is the international calling code of {}?",
    "domain": "What is the internet domain of {}?",
    "code": "What is the three-letter ISO code of {}?",
    "region": "In which region of the world is {}?",
    "population": "What is the approximate population of {}?",
    "area": "What is the approximate area of {}?",
    "symbol": "What is the chemical symbol of {}?",
    "atomic_number": "What is the atomic number of {}?",
    "period": "In which period of the periodic table is {}?",
    "group": "In which group of the periodic table is {}?",
    "category": "To which category of elements does {} belong?",
    "weight": "What is the atomic weight of {}?",
    "discovery_year": "In which year was {} discovered?",
    "melting_point": "What is the melting point of {}?",
    "boiling_point": "What is the boiling point of {}?",
}

_VERBS = {
    "capital": "has the capital {}",
    "currency": "uses the {}",
    "calling_code": "has the international calling code {}",
    "domain": "has the internet domain {}",
    "code": "has the three-letter ISO code {}",
    "region": "lies in {}",
    "borders": "borders {}",
    "symbol": "has the symbol {}",
    "atomic_number": "has the atomic number {}",
    "period": "is in period {}",
    "group": "is in group {}",
    "after": "comes right after {} in the periodic table",
    "before": "comes right before {} in the periodic table",
    "below": "stands directly below {} in its group",
    "above": "stands directly above {} in its group",
}

_RELATIVES = {
    "capital": "whose capital is {}",
    "calling_code": "whose international calling code is {}",
    "domain": "whose internet domain is {}",
    "code": "whose three-letter ISO code is {}",
    "symbol": "with the symbol {}",
    "atomic_number": "with the atomic number {}",
}

_PLACES = {"region": "in {}", "period": "in period {}", "group": "and group {}"}
"""Put before what an entity does: «the country in Western Asia that uses the Euro»."""

_NOUNS = {EntityKind.COUNTRY: "country", EntityKind.ELEMENT: "chemical element"}


def question_text(table: FactTable, description: Description, attribute: str) -> str:
    if attribute == "name":
        return f"Which {_NOUNS[table.kind]} {_doing(table, description)}?"
    return _QUESTIONS[attribute].format(noun_phrase(table, description))


def noun_phrase(table: FactTable, description: Description) -> str:
    """An entity by its description: «Chad», «the country whose capital is Windhoek»."""
    first = description.constraints[0]
    if first.attribute == "name":
        return table.by_name[str(first.value)].phrase
    noun = "the country" if table.kind is EntityKind.COUNTRY else "the element"
    if len(description.constraints) == 1 and first.attribute in _RELATIVES:
        return f"{noun} {_RELATIVES[first.attribute].format(_value(table, first))}"
    places, actions = _parts(table, description)
    return " ".join([noun, *places, *(["that " + join_words(actions)] if actions else [])])


def region_phrase(region: str) -> str:
    return f"the {region}" if region == "Caribbean" else region


def join_words(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _doing(table: FactTable, description: Description) -> str:
    places, actions = _parts(table, description)
    return " ".join([*places, join_words(actions)]) if actions else "is " + " ".join(places)


def _parts(table: FactTable, description: Description) -> tuple[list[str], list[str]]:
    borders = [c for c in description.constraints if c.attribute == "borders"]
    places, actions = [], []
    if borders:
        both = "both " if len(borders) == 2 else ""
        named = join_words([_value(table, constraint) for constraint in borders])
        actions.append(_VERBS["borders"].format(both + named))
    for constraint in description.constraints:
        if constraint.attribute in _PLACES:
            places.append(_PLACES[constraint.attribute].format(_value(table, constraint)))
        elif constraint.attribute != "borders":
            actions.append(_VERBS[constraint.attribute].format(_value(table, constraint)))
    return places, actions


def _value(table: FactTable, constraint: Constraint) -> str:
    if isinstance(constraint.value, Description):
        return noun_phrase(table, constraint.value)
    if constraint.attribute in RELATIONAL:
        return table.by_name[constraint.value].phrase
    if constraint.attribute == "region":
        return region_phrase(constraint.value)
    return constraint.value


def squad_words(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces; which questions exist hangs on it.

    A text of which nothing would be left stays as it is, in lower case. Source: the evaluation
    script of SQuAD 1.1 (Rajpurkar et al., 2016).
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split()) or text.strip().lower()
