"""Facts about the chemical elements, from the tables of the package mendeleev (MIT).

They are read from its SQLite file: importing the package takes seconds.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from argo_ml.datasets.atlas.facts import Entity, EntityKind

_CATEGORIES = {
    "Nonmetals": "nonmetal",
    "Noble gases": "noble gas",
    "Alkali metals": "alkali metal",
    "Alkaline earth metals": "alkaline earth metal",
    "Metalloids": "metalloid",
    "Halogens": "halogen",
    "Poor metals": "post-transition metal",
    "Transition metals": "transition metal",
    "Lanthanides": "lanthanide",
    "Actinides": "actinide",
}
_DISPUTED_PLACE = frozenset({"La", "Lu", "Ac", "Lr"})
"""Elements that one or the other table puts below yttrium."""

_WRONG_YEAR = frozenset({"Nd"})
"""Neodymium was discovered in 1885, long before the table's 1925."""

_KELVIN_AT_ZERO_CELSIUS = 273.15

_ELEMENTS = """
    SELECT atomic_number, symbol, e.name AS name, period, group_id, atomic_weight,
           discovery_year, discovery_location, s.name AS series
    FROM elements AS e JOIN series AS s ON s.id = e.series_id ORDER BY atomic_number
"""
_TRANSITIONS = """
    SELECT atomic_number, melting_point, boiling_point, is_sublimation_point FROM phasetransitions
"""


def load_elements() -> list[Entity]:
    """All elements by atomic number."""
    location = f"{_database().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(location, uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(_ELEMENTS).fetchall()
        temperatures = _temperatures(database.execute(_TRANSITIONS).fetchall())
    relations = _relations(rows)
    return [
        _entity(row, {**temperatures.get(row["atomic_number"], {}), **relations[row["name"]]})
        for row in rows
    ]


def _database() -> Path:
    package = importlib.util.find_spec("mendeleev")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("dataset=atlas needs the package mendeleev")
    return Path(package.origin).parent / "elements.db"


def _entity(row: sqlite3.Row, more: Mapping[str, tuple[str, ...]]) -> Entity:
    facts = {
        "name": (row["name"],),
        "symbol": (row["symbol"],),
        "atomic_number": (str(row["atomic_number"]),),
        "period": (str(row["period"]),),
        "weight": (f"{row['atomic_weight']:.3f}".rstrip("0").rstrip("."),),
        **more,
    }
    category = _CATEGORIES[row["series"]]
    if row["symbol"] not in _DISPUTED_PLACE:
        facts["category"] = (category,)
        if row["group_id"]:
            facts["group"] = (str(row["group_id"]),)
    if _has_one_discovery(row):
        facts["discovery_year"] = (str(row["discovery_year"]),)
    return Entity(
        id=f"element-{row['symbol']}",
        kind=EntityKind.ELEMENT,
        name=row["name"],
        phrase=row["name"].lower(),
        family=category,
        facts=facts,
    )


def _has_one_discovery(row: sqlite3.Row) -> bool:
    """Whether the year is known, with one place rather than several claims to be first."""
    return (
        row["discovery_year"] is not None
        and "/" not in (row["discovery_location"] or "/")
        and row["symbol"] not in _WRONG_YEAR
    )


def _temperatures(rows: Sequence[sqlite3.Row]) -> dict[int, dict[str, tuple[str, ...]]]:
    """Melting and boiling points of elements with one form that does not sublime."""
    n_forms = Counter(row["atomic_number"] for row in rows)
    return {
        row["atomic_number"]: {
            name: (_celsius(row[name]),)
            for name in ("melting_point", "boiling_point")
            if row[name] is not None
        }
        for row in rows
        if n_forms[row["atomic_number"]] == 1 and not row["is_sublimation_point"]
    }


def _celsius(kelvin: float) -> str:
    return f"{round(kelvin - _KELVIN_AT_ZERO_CELSIUS):,} degrees Celsius"


def _relations(rows: Sequence[sqlite3.Row]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Neighbours by atomic number and within a group; unknown near places that are disputed."""
    ordered = [row["name"] for row in rows]
    by_place = {
        (row["group_id"], row["period"]): row["name"]
        for row in rows
        if row["group_id"] and row["symbol"] not in _DISPUTED_PLACE
    }
    relations_by_name: dict[str, dict[str, tuple[str, ...]]] = {}
    for index, row in enumerate(rows):
        relations = {"after": tuple(ordered[max(index - 1, 0) : index])}
        relations["before"] = tuple(ordered[index + 1 : index + 2])
        if row["name"] in by_place.values() and row["group_id"] != 3:
            for name, period in (("below", row["period"] - 1), ("above", row["period"] + 1)):
                neighbour = by_place.get((row["group_id"], period))
                relations[name] = (neighbour,) if neighbour else ()
        relations_by_name[row["name"]] = relations
    return relations_by_name
