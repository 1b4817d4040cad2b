"""What is shown in notebooks, where nothing but bars, results and figures is."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.errors import ConfigError
from argo_ml.interface.bars import showing
from argo_ml.interface.notebook import is_notebook, show_figures
from argo_ml.interface.pages import MOST_ROWS, page
from argo_ml.progress import EPISODES, MODEL_SECONDS, ignore_progress


def shell(config: dict[str, object]) -> SimpleNamespace:
    return SimpleNamespace(get_ipython=lambda: SimpleNamespace(config=config))


@pytest.mark.parametrize(("config", "expected"), [({"IPKernelApp": {}}, True), ({}, False)])
def test_the_kernel_of_a_notebook_is_known(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, object], expected: bool
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", shell(config))
    assert is_notebook() is expected


def test_elsewhere_there_is_nothing_to_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not is_notebook()
    show_figures()


def test_bars_are_shown_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with showing(True) as report:
        report(MODEL_SECONDS, 1, 2)
        report(EPISODES, 0, 4)
        report(EPISODES, 4, 4)
        report(EPISODES, 1, 2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert EPISODES in shown.err
    assert MODEL_SECONDS not in shown.err


@pytest.mark.parametrize("progress", [False, None])
def test_without_a_terminal_or_a_notebook_nothing_is(
    capsys: pytest.CaptureFixture[str], progress: bool | None
) -> None:
    with showing(progress) as report:
        assert report is ignore_progress
        report(EPISODES, 1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_parameter_of_the_same_name_is_not_taken_for_bars() -> None:
    given: Any = "measured"
    with pytest.raises(ConfigError, match=r"in a spec, as in argo_ml.sweep\(SweepSpec"):
        showing(given).__enter__()


def test_data_stay_text_in_a_page() -> None:
    shown = page(["<script>alert(1)</script>", "a\x1b[31m"], ["<b>"], [["<img src=x onerror=y>"]])
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown


def test_a_long_table_says_what_it_leaves_out() -> None:
    shown = page([], ["n"], [[str(n)] for n in range(MOST_ROWS + 5)])
    assert shown.count("<tr>") == 1 + MOST_ROWS
    assert "5 more rows: to_frame() has all" in shown
