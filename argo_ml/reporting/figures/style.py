"""How figures look, and how they are written so that the same results give the same files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Neighbors differ in luminance, hue, marker and line, so that any one of them suffices.
_COLORS = (
    "#000000",
    "#17508f",
    "#d95f02",
    "#56b4e9",
    "#7a0177",
    "#1b7837",
    "#b8860b",
    "#80cdc1",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (1.2, 1.2)),
    (0, (9, 2)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (2, 2, 6, 2)),
)
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

    def line_options(self) -> dict[str, Any]:
        return {
            "color": self.color,
            "linestyle": self.line,
            "linewidth": self.width,
            "zorder": self.order,
            **self.marker_options(),
        }

    def marker_options(self) -> dict[str, Any]:
        """Hollow for all but the first strategy, so that what lies beneath stays visible."""
        is_first = self.color == _COLORS[0]
        return {
            "color": self.color,
            "marker": self.marker,
            "markersize": self.marker_size,
            "markerfacecolor": self.color if is_first else "white",
            "markeredgewidth": 1.3,
        }


def line_styles(strategies: Sequence[str]) -> dict[str, LineStyle]:
    """A look per strategy by its position.

    Strategies often coincide: the first is drawn on top with the thinnest line and the smallest
    markers, each later one beneath it and larger.
    """
    n_looks = len(_COLORS)
    return {
        strategy: LineStyle(
            color=_COLORS[index % n_looks],
            marker=MARKERS[index % len(MARKERS)],
            line=LINES[index % len(LINES)],
            width=1.4 + 0.5 * min(index, 3),
            marker_size=4.0 + 1.8 * min(index, 4),
            order=4.0 - index / max(len(strategies), 1),
        )
        for index, strategy in enumerate(strategies)
    }


class Ends(Protocol):
    """The two ends of an interval."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def draw_band(
    axes: Axes,
    prices: Sequence[float],
    intervals: Sequence[Ends],
    style: LineStyle,
    has_edges: bool = True,
) -> None:
    low = [interval.low for interval in intervals]
    high = [interval.high for interval in intervals]
    if len(prices) == 1:
        # A band over one price would have no width.
        axes.vlines(prices, low, high, color=style.color, linewidth=1.6, zorder=style.order)
        return
    axes.fill_between(prices, low, high, color=style.color, alpha=0.09, linewidth=0)
    for edge in (low, high) if has_edges else ():
        axes.plot(prices, edge, color=style.color, linestyle=style.line, linewidth=0.6, alpha=0.6)


def side_by_side(prices: Sequence[float], index: int, n: int) -> float:
    """What to add to a single price, so that ``n`` strategies do not stand on top of each other."""
    return 0.0 if len(prices) > 1 else 0.05 * prices[0] * (index - (n - 1) / 2)


def new_figure(width: float = 6.4, height: float = 4.6) -> Figure:
    """A figure of its own, known to no global state; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def plain_figure(width: float = 6.4, height: float = 4.6) -> Figure:
    """The same with fixed margins: a layout that is computed draws everything twice."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left=0.11, right=0.97, top=0.92, bottom=0.25)
    return figure


def price_axis(axes: Axes, prices: Sequence[float]) -> None:
    """The prices themselves as ticks, as far as there is room for them."""
    axes.set_xlabel("retrieval cost $c_r$ (price of one retrieval)")
    step = -(-len(prices) // 10)
    axes.set_xticks(list(prices)[::step], [f"{price:.4g}" for price in prices[::step]])
    margin = 0.05 * (max(prices) - min(prices)) or 0.5 * prices[0]
    axes.set_xlim(min(prices) - margin, max(prices) + margin)


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
