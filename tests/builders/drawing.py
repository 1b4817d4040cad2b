"""Figures that are made but not drawn: drawing them takes longer than a small sweep does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

_EMPTY = {
    ".png": bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
        "0000000a4944415478da63f80f00010101001cb08c990000000049454e44ae426082"
    ),
    ".svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
}


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Every figure that is saved is an empty picture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", _save_empty)
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
        yield


def _save_empty(figure: Figure, path: Path, **_: Any) -> None:
    path.write_bytes(_EMPTY[path.suffix])
