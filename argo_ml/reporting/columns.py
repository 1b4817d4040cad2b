"""The columns of the report's tables, of which those that say nothing are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from argo_ml.evaluation.record import Confidence, Contrast, Evaluation, GateFrontiers, StrategyRow
from argo_ml.reporting.formatting import difference, interval, number, p_value, percent, yes_or_no
from argo_ml.results.unit import SHARES, THOUSAND, WITHHELD, Unit, amount_text
from argo_ml.statistics.intervals import Estimate

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """``value`` is None where a row has none; ``shown`` writes it.

    ``zero_says_nothing``: rows that are all 0 are of something that did not take place.
    """

    name: str
    value: Callable[[Row], object]
    shown: Callable[[Row], str]
    zero_says_nothing: bool = False

    def says_something(self, rows: Iterable[Row]) -> bool:
        values = [self.value(row) for row in rows]
        return any(
            value is not None and not (self.zero_says_nothing and not value) for value in values
        )


@dataclass(frozen=True, slots=True)
class Columns(Generic[Row]):
    """The columns to show, and the names of those left out."""

    shown: tuple[Column[Row], ...]
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.shown]


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns of every table whose columns depend on what there is."""

    worth: Columns[StrategyRow]
    calls: Columns[StrategyRow]
    tests: Columns[Contrast]
    reference: Columns[Contrast]
    gates: Columns[GateFrontiers]
    confidence: Columns[Confidence]


def table_columns(evaluation: Evaluation, unit: Unit = SHARES) -> TableColumns:
    """Columns are left out of the tables of all prices or of none, so that they stay alike."""
    rows, contrasts = evaluation.rows, evaluation.contrasts
    confidences = [row.confidence for row in rows if row.confidence is not None]
    return TableColumns(
        worth=_saying((*WORTH, *_in_unit(unit, any(row.abstained for row in rows))), rows),
        calls=_saying(CALLS, rows),
        tests=_saying(TESTS, contrasts),
        reference=_saying(REFERENCE, contrasts),
        gates=_saying(GATES, evaluation.frontiers),
        confidence=_saying(CONFIDENCE, confidences),
    )


def _saying(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> Columns[Row]:
    shown = tuple(column for column in columns if column.says_something(rows))
    return Columns(shown, tuple(column.name for column in columns if column not in shown))


def _measure(
    name: str, value: Callable[[Row], float | None], digits: int, zero_says_nothing: bool = False
) -> Column[Row]:
    return Column(name, value, lambda row: number(value(row), digits), zero_says_nothing)


def _share(
    name: str, value: Callable[[Row], float | None], zero_says_nothing: bool = False
) -> Column[Row]:
    return Column(name, value, lambda row: percent(value(row)), zero_says_nothing)


def _regret(row: StrategyRow) -> float | None:
    return None if row.regret is None else row.regret.mean


WORTH: tuple[Column[StrategyRow], ...] = (
    Column("accuracy [95 %]", lambda row: row.accuracy, lambda row: interval(row.accuracy)),
    Column("utility [95 %]", lambda row: row.utility, lambda row: interval(row.utility)),
    _measure("regret", _regret, 3),
    _measure("RC", lambda row: row.rc, 2),
    _measure("reasoning", lambda row: row.reason_calls, 2, zero_says_nothing=True),
    _share("gate retrieves for", lambda row: row.fire_share),
)
"""What a strategy achieves by what it does."""


def _in_unit(unit: Unit, withholds: bool) -> tuple[Column[StrategyRow], ...]:
    """What questions come to in a unit of the user's own; nothing where prices are shares.

    ``withholds``: whether some answers were withheld.
    """
    if not unit.is_own:
        return ()
    with_withheld = f" (with {WITHHELD})" if withholds else ""
    return (
        Column(
            f"{unit.label} per question [95 %]",
            lambda row: row.utility,
            lambda row: _four_digits(unit.worth(row.utility)),
        ),
        Column(
            f"{unit.label} per 1,000",
            lambda row: row.utility,
            lambda row: amount_text(THOUSAND * unit.worth_of(row.utility.mean), 4),
        ),
        Column(
            f"cost, {unit.label} per 1,000{with_withheld}",
            lambda row: row.cost,
            lambda row: amount_text(THOUSAND * unit.amount(row.cost), 4),
        ),
    )


def _four_digits(worth: Estimate) -> str:
    mean, low, high = (amount_text(own, 4) for own in (worth.mean, worth.low, worth.high))
    return f"{mean} [{low}, {high}]"


CALLS: tuple[Column[StrategyRow], ...] = (
    _measure("LMC", lambda row: row.lmc, 2, zero_says_nothing=True),
    _measure("probes", lambda row: row.probe_calls, 2, zero_says_nothing=True),
    _measure("samples", lambda row: row.sample_calls, 2, zero_says_nothing=True),
    _measure("tokens", lambda row: row.tokens, 0, zero_says_nothing=True),
    _share("unparsed", lambda row: row.unparsed, zero_says_nothing=True),
    _share("abstained", lambda row: row.abstained, zero_says_nothing=True),
)
"""What it asks of the language model, and what comes of that."""

TESTS: tuple[Column[Contrast], ...] = (
    Column(
        "utility difference [95 %]", lambda own: own.utility, lambda own: difference(own.utility)
    ),
    Column("p", lambda own: own.p_utility, lambda own: p_value(own.p_utility)),
    Column("p, Holm", lambda own: own.holm_utility, lambda own: p_value(own.holm_utility)),
    Column("McNemar's p", lambda own: own.p_accuracy, lambda own: p_value(own.p_accuracy)),
    Column(
        "McNemar's p, Holm", lambda own: own.holm_accuracy, lambda own: p_value(own.holm_accuracy)
    ),
)

REFERENCE: tuple[Column[Contrast], ...] = (
    Column(
        "accuracy difference [95 %]",
        lambda own: own.accuracy_against_always_retrieve,
        lambda own: difference(own.accuracy_against_always_retrieve),
    ),
    _share("retrievals saved", lambda own: own.retrieval_reduction),
    Column(
        "accuracy matched",
        lambda own: own.is_accuracy_matched,
        lambda own: yes_or_no(own.is_accuracy_matched),
    ),
)

GATES: tuple[Column[GateFrontiers], ...] = (
    _share("retrievals saved at matched accuracy (exact)", lambda own: own.retrieval_reduction),
    _share("budget exceeded: deployable", lambda own: own.deployable_exceedance),
    _share("budget exceeded: conservative", lambda own: own.conservative_exceedance),
)

CONFIDENCE: tuple[Column[Confidence], ...] = (
    _measure("answers with a confidence", lambda own: own.n, 0),
    _measure("ROC-AUC", lambda own: own.roc_auc, 3),
    _measure("Brier", lambda own: own.brier, 3),
    _measure("ECE", lambda own: own.ece, 3),
    _measure("ECE if calibrated", lambda own: own.ece_if_calibrated, 3),
    _measure("AURC", lambda own: own.aurc, 3),
    _measure("PRR", lambda own: own.prr, 3),
)
