"""One document per entity: every fact that questions ask, in prose that fits one passage."""

from __future__ import annotations

from collections.abc import Mapping

from argo_ml.datasets.atlas.facts import Entity, EntityKind, FactTable
from argo_ml.datasets.atlas.wording import join_words, region_phrase
from argo_ml.types import Document

_SOURCES = {EntityKind.COUNTRY: "countryinfo and pycountry", EntityKind.ELEMENT: "mendeleev"}


def document(table: FactTable, entity: Entity) -> Document:
    sentences = (
        _country(table, entity) if table.kind is EntityKind.COUNTRY else _element(table, entity)
    )
    text = " ".join(sentence for sentence in sentences if sentence)
    return Document(entity.id, text, title=entity.name, source=_SOURCES[entity.kind])


def _country(table: FactTable, entity: Entity) -> list[str]:
    phrase = entity.phrase
    region = entity.value("region") or entity.family
    codes = [
        *_formatted_values(entity, "calling_code", "the international calling code {}"),
        *_formatted_values(entity, "domain", "the internet domain {}"),
        *_formatted_values(entity, "code", "the three-letter ISO code {}"),
    ]
    figures = [
        *_formatted_values(entity, "population", "a population of about {}"),
        *_formatted_values(entity, "area", "an area of about {}"),
    ]
    return [
        f"{_capitalized(phrase)} is a country in {region_phrase(region)}.",
        _sentence(f"The capital of {phrase} is {{}}.", list(entity.facts.get("capital", ()))),
        _currency(entity),
        _sentence(f"{_capitalized(phrase)} has {{}}.", codes),
        _sentence("It has {}.", figures),
        _borders(table, entity),
    ]


def _currency(entity: Entity) -> str:
    currencies = [f"the {name}" for name in entity.facts.get("currency", ())]
    noun = "currency" if len(currencies) == 1 else "currencies"
    verb = "is" if len(currencies) == 1 else "are"
    return _sentence(f"The {noun} of {entity.phrase} {verb} {{}}.", currencies)


def _borders(table: FactTable, entity: Entity) -> str:
    neighbours = [table.by_name[name].phrase for name in entity.facts["borders"]]
    return _sentence(f"{_capitalized(entity.phrase)} borders {{}}.", neighbours)


def _element(table: FactTable, entity: Entity) -> list[str]:
    [symbol], [number] = entity.facts["symbol"], entity.facts["atomic_number"]
    [period] = entity.facts["period"]
    category, group = entity.value("category"), entity.value("group")
    what = (
        f"a chemical element, {_article(category)} {category},"
        if category
        else "a chemical element"
    )
    place = f"period {period} and group {group}" if group else f"period {period}"
    temperatures = [
        *_formatted_values(entity, "melting_point", "melts at {}"),
        *_formatted_values(entity, "boiling_point", "boils at {}"),
    ]
    return [
        f"{entity.name} is {what} with the symbol {symbol} and the atomic number {number}.",
        f"It is in {place} of the periodic table.",
        _sentence("Its atomic weight is {}.", list(entity.facts["weight"])),
        _sentence(f"{entity.name} {{}}.", temperatures),
        _sentence("It was discovered in {}.", list(entity.facts.get("discovery_year", ()))),
        _sentence(
            f"{entity.name} comes {{}} in the periodic table.",
            _related(table, entity, {"after": "right after {}", "before": "right before {}"}),
        ),
        _sentence(
            "In its group it stands {}.",
            _related(table, entity, {"below": "directly below {}", "above": "directly above {}"}),
        ),
    ]


def _related(table: FactTable, entity: Entity, words: Mapping[str, str]) -> list[str]:
    return [
        text.format(table.by_name[name].phrase)
        for attribute, text in words.items()
        for name in entity.facts.get(attribute, ())
    ]


def _formatted_values(entity: Entity, attribute: str, words: str) -> list[str]:
    return [words.format(value) for value in entity.facts.get(attribute, ())]


def _sentence(words: str, parts: list[str]) -> str:
    text = words.format(join_words(parts)) if parts else ""
    return text.replace("..", ".")


def _capitalized(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
