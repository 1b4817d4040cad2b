"""The project's files say the same thing about dependencies, versions and entry points."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import result_builders
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from argo_ml.cli.command_specs import ENTRY_POINTS
from argo_ml.cli.entry_points import project_text
from argo_ml.cli.options import SpecCommand
from argo_ml.cli.parameter_tables import parameters_text
from argo_ml.cli.python_stub import stub_text
from argo_ml.config import SweepSpec
from argo_ml.devices import DeviceUsage, ProcessUsage
from argo_ml.results.metrics import sweep_metrics

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def requirements(pyproject: dict[str, Any]) -> list[Requirement]:
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    own = canonicalize_name(project["name"])
    parsed = [Requirement(line) for line in listed]
    return [requirement for requirement in parsed if canonicalize_name(requirement.name) != own]


def test_every_dependency_is_pinned_to_a_version_in_its_range(
    pyproject: dict[str, Any], pins: dict[str, list[Requirement]]
) -> None:
    for requirement in requirements(pyproject):
        pinned = pins.get(canonicalize_name(requirement.name), [])
        assert pinned, f"{requirement} is not in constraints.txt; run make constraints"
        for pin in pinned:
            if requirement.marker and not requirement.marker.evaluate():
                continue
            if pin.marker and not pin.marker.evaluate():
                continue
            [specifier] = pin.specifier
            assert specifier.operator == "=="
            assert requirement.specifier.contains(specifier.version), f"{requirement} vs {pin}"


def test_torch_is_pinned_without_a_local_version(pins: dict[str, list[Requirement]]) -> None:
    [torch] = pins["torch"]

    assert re.fullmatch(r"==\d+\.\d+\.\d+", str(torch.specifier))


def test_conda_environment_installs_the_package_with_the_constraints() -> None:
    environment = yaml.safe_load((ROOT / "conda.yaml").read_text(encoding="utf-8"))

    [pip] = [item for item in environment["dependencies"] if isinstance(item, dict)]

    assert pip["pip"] == ["-c constraints.txt", "-e ."]


def test_conda_python_is_supported(pyproject: dict[str, Any]) -> None:
    environment = yaml.safe_load((ROOT / "conda.yaml").read_text(encoding="utf-8"))

    [python] = [item for item in environment["dependencies"] if str(item).startswith("python=")]

    assert python.removeprefix("python=") in ("3.10", "3.11", "3.12", "3.13", "3.14")
    assert pyproject["project"]["requires-python"] == ">=3.10,<3.15"


@pytest.mark.parametrize("page", ["README.md", "Makefile"])
def test_the_pythons_that_are_named_are_those_that_install(page: str) -> None:
    assert "Python 3.10 to 3.14" in (ROOT / page).read_text(encoding="utf-8")


def test_mlproject_is_what_the_specs_say() -> None:
    written = (ROOT / "MLproject").read_text(encoding="utf-8")

    assert written == project_text(), "run make mlproject"


@pytest.fixture(scope="module")
def parameter_tables() -> str:
    return parameters_text()


def test_parameter_documentation_is_what_the_specs_say(parameter_tables: str) -> None:
    written = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")

    assert written == parameter_tables, "run make docs"


def test_types_of_the_python_interface_are_what_the_specs_say() -> None:
    written = (ROOT / "argo_ml/__init__.pyi").read_text(encoding="utf-8")

    assert written == stub_text(), "run make docs"


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_every_parameter_of_an_entry_point_is_documented(name: str, parameter_tables: str) -> None:
    _, spec_type = ENTRY_POINTS[name]

    undocumented = [
        field for field in spec_type.model_fields if f"| `{field}`" not in parameter_tables
    ]

    assert undocumented == []


def test_every_metric_is_documented() -> None:
    results = result_builders.results(SweepSpec(n_questions=2, n_prices=1))
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")

    recorded = {*sweep_metrics(results), *(name for cell in results.cells for name in cell.metrics)}

    generic = {re.sub(r"^((mean|best)_[a-z]+)_.*", r"\1_<strategy>", name) for name in recorded}
    assert sorted(name for name in generic if f"`{name}`" not in text) == []


def test_every_metric_of_devices_is_documented() -> None:
    device = DeviceUsage(0, 1, 1, 1, 1, 1, 1)
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")

    recorded = {*device.metrics, *ProcessUsage(1, 1).metrics}

    assert len(recorded) == 7
    generic = {name.replace("gpu_0_", "gpu_<i>_") for name in recorded}
    assert sorted(name for name in generic if f"`{name}`" not in text) == []


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_entry_point_passes_every_option_of_its_command(name: str) -> None:
    from argo_ml.cli.commands import cli

    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    command_name, _ = ENTRY_POINTS[name]
    command = cli.commands[command_name]
    assert isinstance(command, SpecCommand)
    options = {option.name for option in command.params if option.name is not None}

    parameters = project["entry_points"][name]["parameters"]
    passed = re.findall(r"--(\w+) \{(\w+)\}", project["entry_points"][name]["command"])

    assert {option for option, _ in passed} == set(parameters)
    assert all(option == parameter for option, parameter in passed)
    own = {"params", "debug"}
    assert set(parameters) == {
        option for option in options - own if not option.endswith("_argument")
    }


def test_no_folder_is_named_like_the_project_file() -> None:
    names = [path.name for path in ROOT.iterdir() if path.name.lower() == "mlproject"]

    assert names == ["MLproject"]


def test_continuous_integration_runs_the_readme_test_command() -> None:
    assert "exec make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def script_path(tmp_path: Path) -> str:
    """A PATH where mlflow and argo-ml say what they were given, one argument a line."""
    for name in ("mlflow", "argo-ml"):
        recorder = tmp_path / name
        recorder.write_text('#!/bin/sh\nprintf "%s\\n" "$(basename "$0")" "$@"\n')
        recorder.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["mode=small", "gpus=0,1", "difficulty=hard"]),
        (["full", "2,3", "easy"], ["mode=full", "gpus=2,3", "difficulty=easy"]),
        (["medium", "-P", "seed=7"], ["mode=medium", "gpus=0,1", "difficulty=hard", "seed=7"]),
        (["-P", "mode=full", "-Pseed=7", "-P", "seed=8"], ["mode=full", "seed=8", "gpus=0,1"]),
        (["-P", "questions=a b.jsonl", "--run-name", "x"], ["questions=a b.jsonl", "--run-name"]),
    ],
)
def test_original_script_passes_the_last_of_its_arguments_to_main(
    arguments: list[str], expected: list[str], script_path: str
) -> None:
    done = subprocess.run(
        [ROOT / "run_7b_experiment.sh", *arguments],
        env={"PATH": script_path},
        capture_output=True,
        text=True,
        check=True,
    )

    checked, passed = done.stdout.split("mlflow\n")
    assert checked.splitlines()[:3] == ["argo-ml", "doctor", "--only_inputs"]
    assert passed.splitlines()[:4] == ["run", str(ROOT), "--env-manager", "local"]
    assert "--experiment-name" not in passed
    names = [line.partition("=")[0] for line in passed.splitlines() if "=" in line]
    assert len(set(names)) == len(names)
    for value in ["model=qwen2.5-7b", *expected]:
        assert value in passed.splitlines()


def test_original_script_stops_at_what_is_missing(script_path: str, tmp_path: Path) -> None:
    (tmp_path / "argo-ml").write_text("#!/bin/sh\necho missing; exit 1\n")

    done = subprocess.run(
        [ROOT / "run_7b_experiment.sh"],
        env={"PATH": script_path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "missing\n")


def test_original_script_refuses_a_fourth_argument() -> None:
    done = subprocess.run(
        [ROOT / "run_7b_experiment.sh", "small", "0,1", "hard", "more"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "more" in done.stderr


def test_environment_is_made_in_a_folder_whose_path_has_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / "python"
    script = 'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin"; fi'
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)

    subprocess.run(["make", "--quiet", "env", "PYTHON=./python"], cwd=folder, check=True)

    assert (folder / ".venv" / ".runtime").exists()


def test_arguments_for_pytest_leave_slow_tests_out_of_a_quick_run() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "quick-unit", "PYTEST_ARGS=-x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert '-m "not gpu and not slow" -x' in done.stdout


def in_memory(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_DEBUG_TEMPROOT"}
    return subprocess.run(
        [ROOT / "tools" / "in_memory.sh", *command],
        env={**kept, "TEST_MEMORY_GIB": "0", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


SHOW_FOLDER = ("sh", "-c", 'ls -d "$PYTEST_DEBUG_TEMPROOT"; exit 3')


def test_folders_of_tests_are_in_memory_and_go_when_they_end(tmp_path: Path) -> None:
    done = in_memory(*SHOW_FOLDER, TEST_MEMORY=str(tmp_path))

    assert done.returncode == 3
    assert done.stdout.startswith(f"{tmp_path}/argo-ml-tests-")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environ",
    [
        {"TEST_MEMORY": "/nowhere"},
        {"TEST_MEMORY": "/dev/null"},
        {"TEST_MEMORY": "/tmp", "TEST_MEMORY_GIB": "1000000"},
    ],
    ids=["missing", "no folder", "too small"],
)
def test_without_room_in_memory_folders_of_tests_are_where_they_always_are(
    environ: dict[str, str],
) -> None:
    done = in_memory("sh", "-c", 'echo "in $PYTEST_DEBUG_TEMPROOT"; exit 3', **environ)

    assert (done.returncode, done.stdout, done.stderr) == (3, "in \n", "")


@pytest.mark.skipif(shutil.which("flock") is None, reason="a folder in use is told by flock(1)")
def test_only_what_killed_tests_left_in_memory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "argo-ml-tests-killed" / "full").mkdir(parents=True)
    (tmp_path / "argo-ml-tests-at_work").mkdir()
    held = os.open(tmp_path / "argo-ml-tests-at_work", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        in_memory("true", TEST_MEMORY=str(tmp_path))
    finally:
        os.close(held)

    assert [path.name for path in tmp_path.iterdir()] == ["argo-ml-tests-at_work"]
