"""A package beside argo_ml brings a policy, a gate, a dataset, a model backend and a metric."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders.synthetic_evaluation import minimal, results
from matplotlib.figure import Figure

from argo_ml import plugins
from argo_ml.cli import execute
from argo_ml.config import CellSpec, SweepSpec, build
from argo_ml.datasets import check_dataset
from argo_ml.errors import ConfigError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.presets import ModelSource, SourceKind, resolve
from argo_ml.policies import Policy, PolicyContext, check_strategies
from argo_ml.reporting import captions
from argo_ml.reporting.figures import EVALUATION_FIGURES, evaluation
from argo_ml.sweep.cells import cell_id
from argo_ml.testing.models import LanguageModelSuite
from argo_ml.testing.policies import PolicyConformance

pytestmark = pytest.mark.slow


HERE = Path(__file__).parent
PACKAGE = HERE / "argo_ml_example"
PAGE = HERE.parents[1] / "docs" / "extending.md"
SWEEP = {
    "dataset": "planets",
    "model": "parrot:4",
    "strategies": "first_word,never,single",
    "strategy_parameters": "first_word.word=Which number,first_word.times=2",
    "retrieval_costs": "0.05",
    "split": "all",
    "n_questions": "6",
    "max_steps": "3",
}


def part(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"argo_ml_example.{module}"), name)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PACKAGE)


class TestFirstWord(PolicyConformance):
    @property
    def parameters(self) -> Any:  # type: ignore[override]
        return (part("policy", "FirstWordParameters")(times=2),)

    def make(self, context: PolicyContext) -> Policy:
        policy: Policy = part("policy", "first_word")(context)
        return policy


class TestLengthGate(PolicyConformance):
    def make(self, context: PolicyContext) -> Policy:
        policy: Policy = part("gate", "length_gate")(context)
        return policy


class TestParrot(LanguageModelSuite):
    @pytest.fixture
    def model(self) -> LanguageModel:
        model: LanguageModel = part("backend", "Parrot")(n_words=4)
        return model


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into, by pip and without a network."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder / "site"), str(source)]
    subprocess.run(command, check=True)
    return folder / "site"


WITHOUT_DRAWING = (
    "import sys\n"
    "from builders import drawing\n"
    "from argo_ml.cli import main\n"
    "with drawing.left_out():\n    sys.exit(main())\n"
)


def options(values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in (f"--{name}", value)]


def argo_ml(installed: Path, folder: Path, command: str, **values: str) -> Any:
    """The command in a process of its own, which draws no figure."""
    path = os.pathsep.join(map(str, [installed, HERE.parents[1], HERE.parent]))
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_DRAWING, command, *options(values)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_sweep_of_installed_parts(
    installed: Path, visible: None, cache_dir: Path, tracking_uri: str
) -> None:
    places = {"cache_dir": str(cache_dir), "tracking_uri": tracking_uri}
    done = argo_ml(installed, Path.cwd(), "sweep", **SWEEP, **places)
    assert done.returncode == 0, done.stderr
    assert "6 planets questions, parrot:4" in done.stdout
    [path] = Path.cwd().rglob("results.json")
    stored = json.loads(path.read_text(encoding="utf-8"))
    metrics = {cell["strategy"]: cell["metrics"] for cell in stored["cells"]}
    calls = {name: values["retrieval_calls"] for name, values in metrics.items()}
    assert calls == {"first_word": 2.0, "never": 0.0, "single": 1.0}
    twice = {name: values["retrieved_twice"] for name, values in metrics.items()}
    assert twice == {"first_word": 1.0, "never": 0.0, "single": 0.0}
    given = "first_word.times=2,first_word.word=Which number"
    assert stored["spec"]["strategy_parameters"] == given
    assert execute(["verify", *options(places)]) == 0


@pytest.fixture
def visible(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The installed package, in this process."""
    monkeypatch.syspath_prepend(installed)
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"strategies": "lenght_gate"}, "did you mean 'length_gate'? known: argo, "),
        (
            {"strategies": "length_gate", "strategy_parameters": ""},
            "strategy length_gate needs calibration=RUN_ID",
        ),
        ({"strategies": "never"}, "strategy_parameters names first_word, which is none of strateg"),
        (
            {"strategy_parameters": "first_word.time=2"},
            "first_word.time is unknown; did you mean 'first_word.times'? known: first_word.word, ",
        ),
        ({"strategy_parameters": "first_word.times=few"}, "first_word.times=few: input should be "),
        ({"strategy_parameters": "never.times=2"}, "never.times is unknown; the strategy has none"),
    ],
)
def test_strategies_of_the_package_are_checked_as_the_own_ones(
    visible: None, values: dict[str, str], reason: str
) -> None:
    spec = build(SweepSpec, {**SWEEP, **values})
    with pytest.raises(ConfigError, match=re.escape(reason)):
        check_strategies(spec.strategies, spec)


def test_datasets_and_backends_of_the_package_are_among_the_known_ones(visible: None) -> None:
    check_dataset("planets", documents="")
    with pytest.raises(ConfigError, match=r"'planets'\? known: atlas, oran_bench, jsonl, planets"):
        check_dataset("planet", documents="")
    with pytest.raises(ConfigError, match=r"did you mean 'parrot'\? known: scripted, server, "):
        load_model(build(SweepSpec, {"model": "parot:4"}))
    assert resolve("parrot:4", Path()) == ModelSource(SourceKind.PLUGIN, "4")


def test_own_parameters_count_in_a_cell_s_identity_where_they_are_given(visible: None) -> None:
    def identity(given: str) -> str:
        spec = build(CellSpec, {"strategy": "first_word", "strategy_parameters": given})
        return cell_id(spec, {})

    assert identity("") != identity("first_word.times=2")
    both = "first_word.times=2,first_word.word=Who"
    assert identity(both) == identity("first_word.word=Who, first_word.times=2")


def test_own_parameters_are_stored_where_they_are_given() -> None:
    given = {"strategy_parameters": "first_word.times=2"}
    assert "strategy_parameters" not in build(SweepSpec, {}).model_dump(mode="json")
    stored = build(SweepSpec, given).model_dump(mode="json")
    assert stored["strategy_parameters"] == "first_word.times=2"
    assert build(SweepSpec, stored).strategy_parameters == "first_word.times=2"


def blocks() -> dict[str, str]:
    """The code of the page by the name of the file that the line before it ends with."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL))


def test_the_page_shows_the_files_of_the_package() -> None:
    paths = [PACKAGE / "pyproject.toml", *(PACKAGE / "argo_ml_example").glob("[!_]*.py")]
    files = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in paths}
    shown = blocks()
    assert {name: shown[name] for name in files} == files


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example", "Caption": captions.Caption}
    exec(compile(blocks()[block], str(PAGE), "exec"), names)
    return names


def test_the_figure_of_the_page_is_drawn_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    caption = run("argo_ml/reporting/captions.py")["STEPS"]
    monkeypatch.setattr(captions, "STEPS", caption, raising=False)
    shown = run("argo_ml/reporting/figures/steps.py")["STEPS"]
    figures = {**EVALUATION_FIGURES, shown.caption.name: shown}
    monkeypatch.setattr(evaluation, "EVALUATION_FIGURES", figures)

    assert isinstance(evaluation.draw_figure("steps", minimal(), results()), Figure)
