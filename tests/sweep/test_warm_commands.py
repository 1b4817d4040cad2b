"""A sweep whose calls and vectors are known already, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from builders import small_study

from argo_ml.config import SweepSpec, build
from argo_ml.sweep.running import run_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

HEAVY = {
    *("langchain_text_splitters", "matplotlib", "scipy.stats", "sentence_transformers", "sklearn"),
    *("torch", "transformers"),
}
SCRIPT = """
import json, sys
from argo_ml.cli.commands import execute
arguments = [part for pair in json.loads(sys.argv[1]).items() for part in pair]
assert execute(["sweep", *(f"--{text}" if n % 2 == 0 else text
                           for n, text in enumerate(arguments))]) == 0
print(*sys.modules, file=sys.stderr)
"""


def test_what_is_known_is_asked_of_no_model(
    cache_dir: Path, tracking_uri: str, tmp_path: Path
) -> None:
    values = {
        **small_study.write(tmp_path),
        "strategies": "argo,single",
        "n_questions": "4",
        "n_prices": "2",
        "cache_dir": str(cache_dir),
        "tracking_uri": tracking_uri,
    }
    run_sweep(build(SweepSpec, values))

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(values)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert not HEAVY & set(done.stderr.split())
