"""What a notebook needs to show bars and figures, where this process is its kernel."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from matplotlib.figure import Figure


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return "IPKernelApp" in getattr(_shell(), "config", {})


def show_figures() -> None:
    """Let a notebook show a figure that is the value of a cell, as it shows those of pyplot.

    Formats that its user has chosen stay as they are.
    """
    if not is_notebook():
        return
    shell = _shell()
    formatters = shell.display_formatter.formatters.values()
    if not any(Figure in formatter.type_printers for formatter in formatters):
        import_module("IPython.core.pylabtools").select_figure_formats(shell, {"png"})


def bar_type() -> Callable[..., Any]:
    """tqdm's widget in a notebook that has ipywidgets, else its line of text, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    made: Callable[..., Any] = tqdm
    return made


def _shell() -> Any:
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
