"""What an action is expected to tell, for its price."""

import pytest
from builders.explored_nodes import calibration, node

from argo_ml.calibration.exploration import Exploration
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.gates.value_of_information import (
    ValueOfInformation,
    fit_rises,
    value_of_information,
)
from argo_ml.types import Action, Prices


def explored() -> Exploration:
    """A retrieval makes everything sure; reasoning changes nothing."""
    return Exploration.of(
        made
        for number in range(40)
        for made in (
            node(number, "", False, number / 40),
            node(number, "r", True, 1.0),
            node(number, "p", False, number / 40),
            node(number, "rr", True, 1.0),
        )
    )


def policy(prices: Prices) -> ValueOfInformation:
    return ValueOfInformation(calibration(explored().nodes), fit_rises(explored(), 2), prices)


def test_retrieval_is_worth_more_the_less_sure_the_answer_is() -> None:
    values = policy(Prices(retrieve=0.2, reason=0.02))

    assert values.values(0, 0.1)[Action.RETRIEVE] == pytest.approx(0.9 - 0.2, abs=0.05)
    assert values.values(0, 0.9)[Action.RETRIEVE] == pytest.approx(0.1 - 0.2, abs=0.05)
    assert values.values(0, 0.1)[Action.REASON] == pytest.approx(-0.02, abs=0.01)


def test_prices_count_more_as_the_budget_is_used_up() -> None:
    values = policy(Prices(retrieve=0.2, reason=0.02))

    assert values.values(1, 1.0)[Action.RETRIEVE] == pytest.approx(-1.5 * 0.2, abs=0.01)
    assert values.values(2, 1.0) == {}


def test_calibration_without_histories_says_what_to_run() -> None:
    context = PolicyContext(solve(MDPSpec(0.1)), calibration=calibration([node(0, "", True)]))
    with pytest.raises(ConfigError, match=r"value_of_information needs histories"):
        value_of_information(context)
