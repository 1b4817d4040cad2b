"""Facts about countries, from the packages countryinfo (MIT) and pycountry (LGPL).

countryinfo's data are dated and have errors. Codes are checked against ISO's in pycountry, borders
against each other, and what is known to be wrong, outdated or disputed is left out.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pycountry

from argo_ml.datasets.atlas.facts import Entity, EntityKind

_DEPENDENT_CODES = """
    AI AQ AS AW AX BL BM BQ BV CC CK CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO JE KY MF MO
    MP MQ MS NC NF NU PF PM PN PR RE SH SJ SX TC TF TK UM VA VG VI WF YT
"""
_LEFT_OUT = frozenset(_DEPENDENT_CODES.split())
"""Dependent, disputed or double entries: calling them countries would make questions ambiguous."""

_UNRELIABLE = {
    "capital": frozenset({"BI", "BO", "IL", "KZ", "LK", "PS", "SZ", "ZA"}),
    "currency": frozenset({"ZW"}),
    "population": frozenset({"IE"}),
    "area": frozenset({"IE", "RS"}),
}
"""Moved, renamed, divided or disputed capitals, a replaced currency, figures of another territory:
what the record says may hold, and nothing is known to."""

_ISLANDS = frozenset({"LK"})
"""Countries whose border in the record is a strait."""

_RENAMED = {"MK": "North Macedonia", "SZ": "Eswatini"}

_WITH_ARTICLE = frozenset(
    {
        "Bahamas",
        "Central African Republic",
        "Comoros",
        "Czech Republic",
        "Democratic Republic of the Congo",
        "Dominican Republic",
        "Federated States of Micronesia",
        "Gambia",
        "Maldives",
        "Marshall Islands",
        "Netherlands",
        "Philippines",
        "Republic of the Congo",
        "Seychelles",
        "Solomon Islands",
        "United Arab Emirates",
        "United Kingdom",
        "United States",
    }
)

_FUND_CODES = frozenset({"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW"})
"""ISO 4217 codes of units of account, which nobody pays with."""


def load_countries() -> list[Entity]:
    """Sovereign countries by ISO code; every one has a region, a calling code and a domain."""
    records = _records()
    names = {code: _name(code, record) for code, record in records.items()}
    codes_by_alpha3 = {_alpha3(code): code for code in records}
    claims = {
        code: {
            codes_by_alpha3[alpha3]
            for alpha3 in record["borders"]
            if alpha3 in codes_by_alpha3 and code not in _ISLANDS
        }
        for code, record in records.items()
    }
    return [_entity(code, record, names, claims) for code, record in records.items()]


def _records() -> dict[str, Mapping[str, Any]]:
    records = [record for record in _files() if _is_usable(record)]
    n_entries = Counter(record["ISO"]["alpha2"] for record in records)
    usable = {record["ISO"]["alpha2"]: record for record in records}
    return {code: usable[code] for code in sorted(usable) if n_entries[code] == 1}


def _files() -> Iterator[Mapping[str, Any]]:
    package = importlib.util.find_spec("countryinfo")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("dataset=atlas needs the package countryinfo")
    for path in sorted((Path(package.origin).parent / "data").glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _is_usable(record: Mapping[str, Any]) -> bool:
    code = record.get("ISO", {}).get("alpha2")
    return (
        bool(code)
        and code not in _LEFT_OUT
        and pycountry.countries.get(alpha_2=code) is not None
        and all(record.get(name) for name in ("subregion", "callingCodes", "tld"))
        and record.get("borders") is not None
    )


def _name(code: str, record: Mapping[str, Any]) -> str:
    return _RENAMED.get(code, str(record["name"])).removeprefix("The ")


def _phrase(name: str) -> str:
    return f"the {name}" if name in _WITH_ARTICLE else name


def _alpha3(code: str) -> str:
    country = pycountry.countries.get(alpha_2=code)
    if country is None:
        raise KeyError(code)
    return country.alpha_3


def _entity(
    code: str,
    record: Mapping[str, Any],
    names: Mapping[str, str],
    claims: Mapping[str, set[str]],
) -> Entity:
    mutual = {other for other in claims[code] if code in claims[other]}
    claimed = claims[code] | {other for other in claims if code in claims[other]}
    facts = {
        "name": (names[code],),
        "code": (_alpha3(code),),
        "borders": tuple(sorted(names[other] for other in mutual)),
        "calling_code": tuple(map(_calling_code, record["callingCodes"])),
        **_measured(record),
        **_texts(record),
    }
    doubtful = [attribute for attribute, codes in _UNRELIABLE.items() if code in codes]
    return Entity(
        id=f"country-{code}",
        kind=EntityKind.COUNTRY,
        name=names[code],
        phrase=_phrase(names[code]),
        family=record["region"],
        facts={**facts, **{attribute: () for attribute in doubtful}},
        uncertain={
            "borders": frozenset(names[other] for other in claimed - mutual),
            "calling_code": _shorter_codes(record["callingCodes"]),
            **{attribute: frozenset(facts[attribute]) for attribute in doubtful},
        },
    )


def _texts(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {"region": _region(record)}
    capital = record.get("capital")
    if isinstance(capital, str) and capital:
        facts["capital"] = (capital,)
    domains = [domain for domain in record["tld"] if domain.isascii()]
    if domains:
        facts["domain"] = tuple(domains)
    currencies = _currencies(record.get("currencies") or [])
    if currencies:
        facts["currency"] = currencies
    return facts


def _measured(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {}
    if record.get("population"):
        population = record["population"]
        facts["population"] = (f"{round(population, -3 if population >= 100_000 else -2):,}",)
    if record.get("area"):
        facts["area"] = (f"{record['area']:,} square kilometres",)
    return facts


def _region(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The smallest region of the United Nations' geoscheme that the record names.

    None for «Australia and New Zealand», which says which countries it holds.
    """
    region = str(record.get("intermediateregion") or record["subregion"])
    if region == "Australia and New Zealand":
        return ()
    return (region.replace("South-Eastern", "South-eastern"),)


def _currencies(codes: list[str]) -> tuple[str, ...]:
    """Names of the codes that are money today; codes that ISO has withdrawn are unknown."""
    active = (pycountry.currencies.get(alpha_3=code) for code in codes if code not in _FUND_CODES)
    return tuple(
        currency.name.replace("\u2019", "'") for currency in active if currency is not None
    )


def _digits(code: str) -> str:
    return code.replace("-", "")


def _calling_code(code: str) -> str:
    digits = _digits(code)
    return f"+1-{digits[1:]}" if digits.startswith("1") and len(digits) > 1 else f"+{digits}"


def _shorter_codes(codes: list[str]) -> frozenset[str]:
    """Codes that a country's own begin with: +7 for +76, which both may be said to be right."""
    return frozenset(
        f"+{digits[:length]}" for digits in map(_digits, codes) for length in range(1, len(digits))
    )
