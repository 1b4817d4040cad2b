"""Parts of other installed packages, by their entry points."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from argo_ml import plugins
from argo_ml.errors import ConfigError
from argo_ml.plugins import PartTable

GROUP = "argo_ml.test_parts"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes a package of one module visible; its parts are names with the module's objects."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(package: str, source: str, **parts: str) -> None:
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {package}:{value}" for name, value in parts.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
        (tmp_path / f"{package}.py").write_text(source)
        plugins.installed.cache_clear()

    yield install
    plugins.installed.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def table() -> PartTable[int]:
    return PartTable(GROUP, "number", {"one": 1}, lambda part: isinstance(part, int))


def test_parts_of_installed_packages_come_after_the_own_ones(install: Install) -> None:
    install("numbers_b", "VALUE = 2", two="VALUE")
    install("numbers_a", "VALUE = 3", three="VALUE")
    assert list(table()) == ["one", "three", "two"]
    assert table().usable() == {"one": 1, "three": 3, "two": 2}
    assert table()["two"] == 2
    assert [table().is_plugin(name) for name in ("one", "two", "four")] == [False, True, False]


def test_names_are_listed_without_importing_what_they_name(install: Install) -> None:
    install("lazy_numbers", "VALUE = 2", two="VALUE")
    known = table()
    assert "two" in known
    assert (list(known), len(known), known["one"]) == (["one", "two"], 2, 1)
    assert "lazy_numbers" not in sys.modules
    assert known["two"] == 2
    assert "lazy_numbers" in sys.modules


def test_an_own_part_that_is_added_later_is_known() -> None:
    own = {"one": 1}
    known = PartTable(GROUP, "number", own, lambda part: isinstance(part, int))
    own["ten"] = 10
    assert known["ten"] == 10


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_the_kind", r"cannot be imported \(ModuleNotFoundError: No module"),
        ("raise OSError('line 1\\nline 2')", r"cannot be imported \(OSError: line 1 line 2\)"),
        ("OTHER = 2", r"cannot be imported \(AttributeError: "),
        ("VALUE = 'two'", "is none: broken_numbers:VALUE is of type str"),
    ],
)
def test_a_broken_part_is_an_error_where_it_is_asked_for_and_a_warning_elsewhere(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, reason: str
) -> None:
    install("broken_numbers", source, two="VALUE")
    known = table()
    with pytest.raises(ConfigError, match=f"number 'two' of the installed package .*{reason}"):
        known["two"]
    with caplog.at_level(logging.WARNING):
        assert known.usable() == known.usable() == {"one": 1}
    [warning] = caplog.messages
    assert "installed package broken_numbers" in warning
    assert "\n" not in warning


def test_a_part_may_not_have_the_name_of_an_own_one(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("other_numbers", "VALUE = 11", one="VALUE")
    known = table()
    reason = "number 'one' is brought by argo_ml and by other_numbers; uninstall other_numbers, or"
    with pytest.raises(ConfigError, match=reason):
        known["one"]
    assert known.usable() == {"one": 1}
    assert reason in caplog.text


def test_two_packages_may_not_bring_the_same_name(install: Install) -> None:
    install("numbers_a", "VALUE = 2", two="VALUE")
    install("numbers_b", "VALUE = 22", two="VALUE")
    with pytest.raises(ConfigError, match="'two' is brought by numbers_a and by numbers_b"):
        table()["two"]
