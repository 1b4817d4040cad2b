"""What commands take whose every call is known, against another checkout: in pairs, by turns.

CPU seconds of the whole command, user and system, are compared: others on the machine change those
less than the clock. The other checkout pays for all calls, since a newer one reads what an older
one has stored; both run on copies of that cache, and a pair counts only where their results are the
same and nothing was paid.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.reporting import report

HERE = Path(__file__).parents[1]
QUESTION = ("What is the capital of Finland?", "--choices", "Helsinki|Oslo|Tampere")
SMALL = ("sweep",)
REPRICED = ("sweep", "--strategies", "always_retrieve,single", "--n_prices", "10")
COMMANDS = ("small sweep", "ten prices", "answer")
ANSWER = ("answer", *QUESTION, "--strategy", "single")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the project, with a cache and a tracking store of its own."""

    tree: Path
    folder: Path

    def run(self, command: Sequence[str]) -> float:
        """CPU seconds of a command."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "argo_ml", *command],
            cwd=self.folder,
            env=self._environment(),
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def latest_results(self) -> Mapping[str, Any] | None:
        """What the latest sweep has stored; None before the first."""
        stored = list(self.folder.glob("mlruns/*/*/artifacts/results.json"))
        latest = max(stored, key=lambda path: path.stat().st_mtime, default=None)
        return None if latest is None else json.loads(latest.read_text(encoding="utf-8"))

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self.tree),
            "ARGO_ML_CACHE_DIR": str(self.folder / "cache"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="another checkout")
    parser.add_argument("--cache", type=Path, help="a cache of the other's that has the calls")
    parser.add_argument("--only", choices=COMMANDS, help="one of the commands alone")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--n-questions", default="10", help="of the sweep that is priced anew")
    parser.add_argument("--max-steps", default="20", help="of the same")
    given = parser.parse_args()
    repriced = (*REPRICED, "--n_questions", given.n_questions, "--max_steps", given.max_steps)
    commands = dict(zip(COMMANDS, (SMALL, repriced, ANSWER), strict=True))
    if given.only:
        commands = {given.only: commands[given.only]}
    with tempfile.TemporaryDirectory(prefix="argo-benchmark-") as name:
        base, here = _checkouts(given, Path(name), list(commands.values()))
        rows = [_row(what, base, here, run, given.pairs) for what, run in commands.items()]
    report("warm", rows, base=str(given.base), questions=given.n_questions)


def _checkouts(
    given: argparse.Namespace, folder: Path, commands: Sequence[Sequence[str]]
) -> tuple[Checkout, Checkout]:
    """The other checkout and this one, whose caches know all that the commands need."""
    here = Checkout(HERE, folder / "here")
    base = Checkout(given.base.resolve(), folder / "base")
    base.folder.mkdir()
    if given.cache:
        shutil.copytree(given.cache, base.folder / "cache")
    else:
        base.run(["fetch"])
    for command in commands:
        base.run(command)
    here.folder.mkdir()
    shutil.copytree(base.folder / "cache", here.folder / "cache")
    for command in commands:
        here.run(command)
    return base, here


def _row(
    what: str, base: Checkout, here: Checkout, command: Sequence[str], n_pairs: int
) -> dict[str, Any]:
    seconds = []
    for number in range(n_pairs):
        order = (base, here) if number % 2 else (here, base)
        spent = {checkout: checkout.run(command) for checkout in order}
        seconds.append((spent[base], spent[here]))
    same = command[0] != "sweep" or _same(base.latest_results(), here.latest_results())
    return {
        "command": what,
        "base (CPU s)": median(before for before, _ in seconds),
        "here (CPU s)": median(after for _, after in seconds),
        "ratio": median(after / before for before, after in seconds),
        "ratios": ", ".join(f"{after / before:.3f}" for before, after in seconds),
        "same results, nothing paid": same,
    }


def _same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two sweeps came to the same and paid nothing; ids of runs differ."""
    if one is None or other is None:
        return False
    cells, others = ([_content(cell) for cell in results["cells"]] for results in (one, other))
    paid = [cell["metrics"]["lm_calls_paid_total"] for cell in (*cells, *others)]
    return cells == others and one["digests"] == other["digests"] and not any(paid)


def _content(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in cell.items() if name != "run_id"}


if __name__ == "__main__":
    main()
