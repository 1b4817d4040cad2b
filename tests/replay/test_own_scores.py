"""A gate on scores of the user's own, which are recorded with the questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from builders.recorded_outcomes import open_line

from argo_ml.config import ReplaySpec
from argo_ml.errors import ArgoError, DataError
from argo_ml.replay.judging import replay_results
from argo_ml.replay.needs import choose_policies
from argo_ml.replay.replaying import replay
from argo_ml.replay.splitting import read_parts

MakeSpec = Callable[..., ReplaySpec]
GATE = {"policies": "never,single,score_gate", "retrieval_costs": "0.02,0.4"}


def scored(number: int, **scores: object) -> dict[str, Any]:
    """Retrieval makes every second answer right, and the score ``useful`` says where."""
    line = open_line(number, scores={"useful": 1.5 * (number % 2), **scores})
    line["outcomes"]["none"]["correct"] = False
    line["outcomes"]["retrieve"]["correct"] = bool(number % 2)
    return line


def made(make_spec: MakeSpec, line: Any = scored, **values: object) -> ReplaySpec:
    lines = [line(number) for number in range(40)]
    return make_spec(lines[20:], lines[:20], **{**GATE, **values})


@pytest.mark.parametrize("parameters", ["", "score_gate.name=useful"])
def test_the_gate_retrieves_where_the_score_says_that_it_pays(
    make_spec: MakeSpec, parameters: str
) -> None:
    own = replay(made(make_spec, strategy_parameters=parameters))

    for cell in own.cells:
        if cell.strategy == "score_gate":
            assert [decision.plan for decision in cell.decisions] == ["none", "retrieve"] * 10
            assert [decision.expected.score for decision in cell.decisions] == [0.0, 1.5] * 10


def test_a_score_from_the_answer_has_looked_at_it(make_spec: MakeSpec) -> None:
    spec = made(make_spec, strategy_parameters="score_gate.reads_answer=true")

    cell = replay(spec).cells[-1]

    assert all(decision.has_probed_answer for decision in cell.decisions)
    assert [row.decisions[0].correct for row in cell.rows] == [None, False] * 10


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("score_gate.name=usefull", "score_gate.name=usefull: no line has that score.*; give one"),
        ("score_gate.name=other", "line 1: outcomes.none.scores.other is missing, which score_g"),
        ("", "score_gate needs score_gate.name: .* scores useful, other; give one of"),
    ],
)
def test_a_score_that_lines_lack_is_refused(
    make_spec: MakeSpec, parameters: str, message: str
) -> None:
    def line(number: int) -> dict[str, Any]:
        return scored(number, **({"other": 0.5} if number != 20 else {}))

    with pytest.raises(DataError, match=message):
        replay(made(make_spec, line, strategy_parameters=parameters))


def test_lines_without_scores_have_no_such_gate(make_spec: MakeSpec) -> None:
    parts = read_parts(made(make_spec, open_line))

    assert "score_gate" not in choose_policies([], parts)
    with pytest.raises(DataError, match=r"line 1: outcomes.none.scores is missing, which score_g"):
        choose_policies(["score_gate"], parts)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(float("nan"), "a finite number"), ("0.5", "a valid number"), (True, "a valid number")],
)
def test_a_score_that_is_no_number_is_refused(
    make_spec: MakeSpec, value: object, problem: str
) -> None:
    spec = made(make_spec, lambda number: scored(number, useful=value))

    with pytest.raises(ArgoError, match=rf"line 1: outcomes.none.scores.useful=.*{problem}"):
        read_parts(spec)


def outcomes_digest(make_spec: MakeSpec, more: float) -> str:
    given = {"strategy_parameters": "score_gate.name=useful"}
    spec = made(make_spec, lambda number: scored(number, more=more), **given)
    return replay_results(replay(spec), spec, "run", ["cell"] * 6).digests["outcomes_digest"]


def test_scores_tell_two_files_of_outcomes_apart(make_spec: MakeSpec) -> None:
    assert outcomes_digest(make_spec, 0.0) != outcomes_digest(make_spec, 1.0)
