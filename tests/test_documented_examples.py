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
from argo_ml.testing.policies import PolicyConformance
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
    strategies, known = dict(STRATEGIES), dict(FEATURES)
    yield
    for mapping, before in ((STRATEGIES, strategies), (FEATURES, known)):
        mapping.clear()  # type: ignore[attr-defined]
        mapping.update(before)  # type: ignore[attr-defined]


def test_the_page_has_a_gate_and_a_feature() -> None:
    assert len(_examples()) == 2


def test_the_gate_conforms() -> None:
    suite: PolicyConformance = _run(_examples()[0])["TestLengthGate"]()
    tests = [name for name in dir(suite) if name.startswith("test_")]
    assert len(tests) >= 6
    for name in tests:
        getattr(suite, name)()
    assert STRATEGIES["length_gate"].is_gate


def test_the_feature_counts_passages() -> None:
    n_before = len(FEATURES)
    _run(_examples()[1])
    hit = Evidence(Passage("p", "text"), 0.8)
    step = Step("s", Action.RETRIEVE, "a", 0.25, 0.1, evidence=(hit, hit))
    seen = AnswerNow(Answer("a", 0), (0.6, 0.4))
    state = State(
        Question("q", "Which?", choices=("a", "b")), 0.0, (step,), Observations((seen, seen))
    )
    assert len(FEATURES) == n_before + 1
    assert features(state)[-1] == 2.0
