"""What importing a module of the package takes and brings along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import first_imports

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


def layers() -> list[list[str]]:
    """All modules of the package by layer, the lowest first."""
    modules = [module_name(path) for path in sorted((ROOT / "argo_ml").rglob("*.py"))]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract, *_ = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    packages = [{name.strip() for name in layer.split(":")} for layer in contract["layers"]]
    in_order = [{""}, *reversed(packages), {"__main__"}]
    return [[name for name in modules if package_of(name) in layer] for layer in in_order]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported_by(statement: str) -> set[str]:
    """The modules that an interpreter holds after the statement."""
    script = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT)
    return set(done.stdout.decode().split())


@pytest.mark.slow
def test_every_module_can_be_the_first_import() -> None:
    done = subprocess.run(
        [sys.executable, first_imports.__file__],
        input=json.dumps(layers()),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    errors = json.loads(done.stdout)
    assert not errors, "\n".join(f"{name}: {error}" for name, error in errors.items())


def test_every_module_belongs_to_a_layer() -> None:
    n_modules = len(list((ROOT / "argo_ml").rglob("*.py")))
    assert sum(map(len, layers())) == n_modules


def test_the_package_itself_imports_nothing_of_others() -> None:
    assert imported_by("import argo_ml") - imported_by("pass") == {"argo_ml"}


def test_the_specs_import_few_modules_of_the_package() -> None:
    own = {name for name in imported_by("import argo_ml.config") if name.startswith("argo_ml")}
    assert "argo_ml.config" in own
    assert len(own) < 24
