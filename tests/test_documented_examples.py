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


def test_the_table_of_policies_names_all_of_them_and_who_needs_a_calibration() -> None:
    table = PAGE.read_text(encoding="utf-8").split("## All of them")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    needs = {name: row[2] for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert sorted(needs) == sorted(STRATEGIES)
    calibrated = {name for name, needed in needs.items() if needed.startswith("calibration")}
    assert calibrated == {name for name, own in STRATEGIES.items() if own.calibrated}


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
