"""Numbers as the report writes them."""

from __future__ import annotations

from argo_ml.evaluation.record import PriceRange
from argo_ml.results.naming import listed_floors
from argo_ml.results.unit import Unit, amount_text
from argo_ml.statistics.intervals import Estimate

UNDEFINED = "n/a"
LEAST_P = 0.001


def number(value: float | None, digits: int = 3) -> str:
    return UNDEFINED if value is None else f"{value:z.{digits}f}"


def interval(estimate: Estimate | None) -> str:
    """``0.612 [0.556, 0.665]``"""
    return UNDEFINED if estimate is None else f"{estimate:z.3f}"


def difference(estimate: Estimate | None) -> str:
    """An interval of a difference: as `interval`, with signs."""
    return UNDEFINED if estimate is None else f"{estimate:+z.3f}"


def p_value(value: float) -> str:
    return f"<{LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def percent(share: float | None) -> str:
    return UNDEFINED if share is None else f"{100 * share:.1f} %"


def yes_or_no(value: bool | None) -> str:
    if value is None:
        return UNDEFINED
    return "yes" if value else "no"


def price(value: float) -> str:
    return f"{value:.4g}"


def price_ends(own: PriceRange, unit: Unit) -> str:
    """``0.02 to 0.11``: the prices between which a strategy is the most useful."""
    low, high = (amount_text(unit.amount(end), 3) for end in (own.low, own.high))
    return f"{low} to {high} {unit.name}".rstrip()


def unbroken(text: str) -> str:
    """The text with every percent sign kept with its number."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def setting(value: object) -> str:
    """The value of a field of a spec; empty ones were not set."""
    if value is None or value in ("", [], ()):
        return "not set"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


FILTERS = {
    function.__name__: function
    for function in (
        number,
        interval,
        difference,
        p_value,
        percent,
        yes_or_no,
        price,
        unbroken,
        setting,
        listed_floors,
    )
}
"""Name in the template -> function."""
