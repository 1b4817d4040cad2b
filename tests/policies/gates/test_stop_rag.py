"""Stop-RAG's values, from the last retrieval to the first."""

import random

import pytest
from builders.explored_nodes import calibration, node

from argo_ml.calibration.node import Node
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.gates.stop_rag import fit_values, stop_rag


def paths(n_questions: int = 40) -> list[list[Node]]:
    """One retrieval tells nothing, two are right for those of the larger feature."""
    draws = random.Random(0)
    made = []
    for number in range(n_questions):
        feature = draws.random()
        right = (False, False, feature > 0.5)
        made.append([node(number, "r" * n, right[n], feature) for n in range(3)])
    return made


def test_first_retrieval_is_worth_what_the_second_brings() -> None:
    first, second = fit_values(paths(), price=0.1, horizon=2)

    assert second.advantage((0.9,)) == pytest.approx(0.9, abs=0.3)
    assert first.advantage((0.9,)) == pytest.approx(second.advantage((0.9,)) - 0.1, abs=0.05)
    assert first.advantage((0.1,)) < 0 < first.advantage((0.9,))


def test_last_step_is_worth_the_last_answer_minus_its_price() -> None:
    helped = [[node(n, "", False), node(n, "r", True)] for n in range(20)]

    [values] = fit_values(helped, price=0.3, horizon=1)

    assert values.advantage((0.5,)) == pytest.approx(0.7)


def test_calibration_without_histories_says_what_to_run() -> None:
    context = PolicyContext(solve(MDPSpec(0.1)), calibration=calibration([node(0, "", True)]))
    with pytest.raises(ConfigError, match=r"stop_rag needs histories .* --max_steps 1"):
        stop_rag(context)
