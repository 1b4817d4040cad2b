"""Figures that are made but not drawn: drawing them takes longer than a small sweep does."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.transforms import BboxBase
from PIL import Image

_SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">{}</svg>'


def _png() -> bytes:
    image = Image.new("L", (200, 200), "white")
    image.putpixel((0, 0), 0)
    image.save(content := io.BytesIO(), "png")
    return content.getvalue()


_LEAST = {".png": _png(), ".svg": _SVG.format("<path/>" * 10).encode()}
"""What a sweep's check takes for a drawing."""


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Every figure that is saved is a picture of next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", _save_least)
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
        yield


def cut_off(figure: Figure) -> list[str]:
    """The words of a figure that do not fit into it; the numbers of ticks outside are not shown."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [
        text.get_text()
        for text in texts
        if any(map(str.isalpha, text.get_text()))
        and not _holds(figure.bbox, text.get_window_extent())
    ]


def _holds(outer: BboxBase, inner: BboxBase) -> bool:
    return outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 <= outer.y1


def _save_least(figure: Figure, path: Path, **_: Any) -> None:
    path.write_bytes(_LEAST[path.suffix])
