"""The notebooks of the documentation run from the first cell to the last."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config.advising import STAGE_SIZES

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "own-data.ipynb"
SMALLER = {
    '"smollm2-135m"': '"scripted:script.json"',
    "sorted(facts.items())": "sorted(facts.items())[::2]",
    "n_calibration=20": "n_calibration=10",
    "n_tune=16": "n_tune=10",
    "n_test=30": "n_test=10",
    "[0.02, 0.1, 0.3, 0.6]": "[0.02, 0.6]",
    "range(240)": "range(2400)",
    "time.sleep(1)": "time.sleep(0.1)",
}
PORT = "5077"
WITHOUT_DRAWING = (
    "from builders import drawing\nundrawn = drawing.left_out()\nundrawn.__enter__()\n"
)


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def code() -> str:
    return "\n\n".join("".join(cell["source"]) for cell in cells("code"))


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def test_the_notebook_is_kept_with_what_it_showed() -> None:
    for cell in cells("code"):
        assert cell["execution_count"] is not None
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"]
    shown = json.dumps([cell["outputs"] for cell in cells("code")])
    assert "image/png" in shown
    assert "text/html" in shown
    assert str(Path.home()) not in shown


def test_the_notebook_says_how_many_questions_the_default_size_takes() -> None:
    said = "".join(line for cell in cells("markdown") for line in cell["source"])

    assert f'`mode="medium"` takes {sum(STAGE_SIZES["medium"])}.' in said


@pytest.mark.slow
def test_the_notebook_goes_from_own_data_to_a_served_policy(
    cache_dir: Path, empty_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    (tmp_path / "script.json").write_text(json.dumps({"default": "hash"}))
    home = tmp_path / "home" / ".cache"
    home.mkdir(parents=True)
    (home / "argo_ml").symlink_to(cache_dir)
    script = WITHOUT_DRAWING + code().replace(PORT, free_port())
    for shown, smaller in SMALLER.items():
        assert shown in script
        script = script.replace(shown, smaller)

    # The store that MLflow takes when nobody names one is the folder's own.
    others = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**others, "HOME": str(tmp_path / "home"), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert "'strategy': 'max_prob_gate'" in done.stdout.splitlines()[-1]
