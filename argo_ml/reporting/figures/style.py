"""How figures look, and how they are written so that the same results give the same files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.results.unit import SHARES, Unit, amount_text

_RC: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.hashsalt": "argo_ml",
}
_PNG_DPI = 200
_CHARACTERS_PER_INCH = 11
"""Of titles and labels, wide letters included."""
_LEGEND_CHARACTERS = 84
_HANDLE_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class LineStyle:
    """The look of one strategy."""

    color: str
    marker: str
    line: Any
    width: float
    marker_size: float
    order: float
    is_filled: bool = False

    def line_options(self) -> dict[str, Any]:
        return {
            "color": self.color,
            "linestyle": self.line,
            "linewidth": self.width,
            "zorder": self.order,
            **self.marker_options(),
        }

    def marker_options(self) -> dict[str, Any]:
        """Hollow but for the strategies in question, so that what lies beneath stays visible."""
        return {
            "color": self.color,
            "marker": self.marker,
            "markersize": self.marker_size,
            "markerfacecolor": self.color if self.is_filled else "white",
            "markeredgewidth": 1.3,
        }


def stacked_size(index: int) -> float:
    """Marker size of the so many-th strategy where points coincide: later ones lie beneath the
    earlier and are larger."""
    return 4.5 + 0.9 * min(index, 4)


class Ends(Protocol):
    """The two ends of an interval."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def draw_intervals(
    axes: Axes, prices: Sequence[float], intervals: Sequence[Ends], style: LineStyle
) -> None:
    """A bar from end to end at each price."""
    low = [interval.low for interval in intervals]
    high = [interval.high for interval in intervals]
    axes.vlines(prices, low, high, color=style.color, linewidth=1.1, alpha=0.6, zorder=style.order)


def draw_band(
    axes: Axes, prices: Sequence[float], intervals: Sequence[Ends], style: LineStyle
) -> None:
    """The area between the ends; of a single price, where it would have no width, a bar."""
    if len(prices) == 1:
        draw_intervals(axes, prices, intervals, style)
        return
    low = [interval.low for interval in intervals]
    high = [interval.high for interval in intervals]
    axes.fill_between(prices, low, high, color=style.color, alpha=0.09, linewidth=0)


def dodged(all_prices: Sequence[float], own: Sequence[float], index: int, n: int) -> list[float]:
    """A strategy's prices beside those of the ``n - 1`` others, so that no two stand on top of
    each other: all within less than half of the least distance of two prices."""
    width = 0.42 * _least_distance(all_prices)
    shift = width * ((index + 0.5) / n - 0.5)
    return [price + shift for price in own]


def _least_distance(prices: Sequence[float]) -> float:
    """Distance of the nearest two prices, but no less than a figure can show."""
    ascending = sorted(set(prices))
    if len(ascending) < 2:
        return 0.2 * ascending[0] or 0.01
    gaps = [after - before for before, after in pairwise(ascending)]
    return max(min(gaps), (ascending[-1] - ascending[0]) / 40)


def new_figure(width: float = 6.4, height: float = 4.6) -> Figure:
    """A figure of its own, known to no global state; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def plain_figure(width: float = 6.4, height: float = 4.6) -> Figure:
    """The same with fixed margins: a layout that is computed draws everything twice."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left=0.11, right=0.97, top=0.92, bottom=0.25)
    return figure


def wrapped(text: str, inches: float) -> str:
    """The lines of a title or label, broken where they would be wider."""
    width = int(inches * _CHARACTERS_PER_INCH)
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def plain(text: str) -> str:
    """The text with dollar signs that begin no formula."""
    return text.replace("$", r"\$")


def at_price(price: float, unit: Unit) -> str:
    """``$c_r$ = 0.1``, or ``0.4 EUR per retrieval``."""
    return plain(unit.at_price(price)).replace("c_r", "$c_r$")


def cost_label(unit: Unit) -> str:
    return f"mean cost per question{f' ({plain(unit.label)})' if unit.is_own else ''}"


def price_axis(axes: Axes, prices: Sequence[float], most: int = 10, unit: Unit = SHARES) -> None:
    """The prices themselves as ticks, at most ``most`` and as far as they stand apart."""
    own = f"price of one retrieval ({plain(unit.label)})"
    axes.set_xlabel(own if unit.is_own else "retrieval cost $c_r$ (price of one retrieval)")
    ticks = spaced(prices, most)
    axes.set_xticks(ticks, [amount_text(unit.amount(price), 4) for price in ticks])
    margin = max(0.05 * (max(prices) - min(prices)), 0.35 * _least_distance(prices))
    axes.set_xlim(min(prices) - margin, max(prices) + margin)


def spaced(prices: Sequence[float], most: int) -> list[float]:
    """The prices at least a ``most``-th of their range apart, the first and the last among them."""
    ascending = sorted(set(prices))
    least = (ascending[-1] - ascending[0]) / most
    kept = ascending[:1]
    for price in ascending[1:]:
        if price - kept[-1] >= least * 0.999:
            kept.append(price)
    if kept[-1] != ascending[-1]:
        kept[-1] = ascending[-1]
    return kept


def legend_below(figure: Figure) -> None:
    """One legend for the whole figure, without repetitions, in as many columns as fit."""
    handles_by_label: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        for handle, label in zip(handles, labels, strict=True):
            handles_by_label.setdefault(label, handle)
    n_columns = _LEGEND_CHARACTERS // (max(map(len, handles_by_label)) + _HANDLE_CHARACTERS)
    figure.legend(
        list(handles_by_label.values()),
        list(handles_by_label),
        loc="outside lower center" if figure.get_layout_engine() else "lower center",
        ncols=max(1, min(n_columns, len(handles_by_label))),
        handlelength=3.2,
        columnspacing=1.4,
    )


def save(
    figure: Figure,
    folder: Path,
    name: str,
    formats: Sequence[str] = ("png", "svg"),
    dpi: int = _PNG_DPI,
) -> None:
    """Write ``name`` in each format; no date and no random ids, so that reruns are identical."""
    folder.mkdir(parents=True, exist_ok=True)
    _settle_layout(figure)
    for suffix in formats:
        metadata = {"Date": None} if suffix == "svg" else {}
        figure.savefig(folder / f"{name}.{suffix}", dpi=dpi, metadata=metadata)


def _settle_layout(figure: Figure) -> None:
    """Compute a constrained layout once for all formats, not anew for each."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def styled() -> Any:
    """Context in which figures are made and saved; the user's own settings are left alone."""
    return rc_context(_RC)
