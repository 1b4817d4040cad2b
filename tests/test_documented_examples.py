"""The examples of docs/policies.md do what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo_ml.calibration import features
from argo_ml.calibration.features import FEATURES
from argo_ml.policies import STRATEGIES
from argo_ml.policies.description import Role
from argo_ml.state import AnswerNow, Observations, State
from argo_ml.types import Action, Answer, Evidence, Passage, Question, Step

PAGE = Path(__file__).parents[1] / "docs" / "policies.md"


def _examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def _run(example: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, str(PAGE), "exec"), names)
    return names


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    known = dict(FEATURES)
    yield
    FEATURES.clear()  # type: ignore[attr-defined]
    FEATURES.update(known)  # type: ignore[attr-defined]


def _rows_of_policies() -> dict[str, list[str]]:
    """The cells of the table by policy, of which a row may name several."""
    table = PAGE.read_text(encoding="utf-8").split("## All of them")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_the_table_of_policies_names_all_of_them_and_who_needs_a_calibration() -> None:
    needs = {name: row[2] for name, row in _rows_of_policies().items()}

    assert sorted(needs) == sorted(STRATEGIES)
    calibrated = {name for name, needed in needs.items() if needed.startswith("calibration")}
    assert calibrated == {name for name, own in STRATEGIES.items() if own.calibrated}


def test_the_table_of_policies_marks_as_baselines_what_gained_nowhere() -> None:
    gains = {
        name: [float(own.strip("°").replace("\N{MINUS SIGN}", "-")) for own in row[5:7] if own]
        for name, row in _rows_of_policies().items()
    }

    marked = {name for name, own in STRATEGIES.items() if own.gained_nowhere}
    assert marked == {name for name, own in gains.items() if own and max(own) <= 0}
    helps = {name: row[4] for name, row in _rows_of_policies().items()}
    published = {name for name, own in helps.items() if own.startswith("published baseline")}
    assert published == {name for name in marked if STRATEGIES[name].role is Role.GATE}
    assert marked - published == {"argo_calibrated"}
    assert helps["argo_calibrated"].startswith("as a baseline")


def test_the_feature_counts_passages() -> None:
    n_before = len(FEATURES)
    [example] = _examples()
    _run(example)
    hit = Evidence(Passage("p", "text"), 0.8)
    step = Step("s", Action.RETRIEVE, "a", 0.25, 0.1, evidence=(hit, hit))
    seen = AnswerNow(Answer("a", 0), (0.6, 0.4))
    state = State(
        Question("q", "Which?", choices=("a", "b")), 0.0, (step,), Observations((seen, seen))
    )
    assert len(FEATURES) == n_before + 1
    assert features(state)[-1] == 2.0
