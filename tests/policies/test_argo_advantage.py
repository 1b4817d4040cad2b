"""What plans add to stopping, learned once for all prices."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from builders.explored_nodes import calibration, node
from builders.sources import answered, calibrated

from argo_ml.calibration import Calibration, Node
from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.forests import fit_forest
from argo_ml.calibration.question_fields import FieldIndicators
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies.argo_advantage import (
    ArgoAdvantage,
    Fitting,
    argo_advantage,
    best_step,
    fit_advantages,
    fittings,
)
from argo_ml.policies.best_plan import BestPlan
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.parameters import AdvantageParameters
from argo_ml.testing.calibrations import CHOICE_WORLD, OPEN_WORLD
from argo_ml.types import Action, Prices

RETRIEVE, REASON = Action.RETRIEVE, Action.REASON
PRICES = Prices(retrieve=0.2, reason=0.02)


def test_first_action_of_the_plan_that_adds_most_is_taken() -> None:
    advantages = {(RETRIEVE,): 0.1, (REASON,): -0.1, (RETRIEVE, RETRIEVE): 0.7}

    assert best_step(advantages, PRICES, ahead=2) == (RETRIEVE, pytest.approx(0.7 - 0.4))
    assert best_step(advantages, PRICES, ahead=1) == (Action.STOP, 0.0)


def test_every_look_on_the_way_is_paid() -> None:
    probed = Prices(retrieve=0.2, reason=0.02, probe=0.1)

    action, gain = best_step({(RETRIEVE, RETRIEVE): 0.7}, probed, ahead=2)

    assert (action, gain) == (RETRIEVE, pytest.approx(0.7 - 0.6))


def test_advantages_of_longer_plans_are_learned_without_a_price() -> None:
    explored = Exploration.of(
        made
        for number in range(20)
        for made in (
            node(number, "", False),
            node(number, "r", False),
            node(number, "rr", number < 15),
        )
    )
    at_first, after_one = fit_advantages(explored, Fitting("ridge", on_probabilities=False))

    assert at_first.advantages((0.5,))[RETRIEVE,] == 0.0
    assert at_first.advantages((0.5,))[RETRIEVE, RETRIEVE] == pytest.approx(0.75)
    assert after_one.advantages((0.5,)) == {(RETRIEVE,): pytest.approx(0.75)}


def helped_in_the_middle(n_questions: int = 300) -> list[Node]:
    """A retrieval helps where the feature is between 0.4 and 0.6: no line can tell."""
    draws = random.Random(1)
    made = []
    for number in range(n_questions):
        feature = draws.random()
        made += [node(number, "", False, feature)]
        made += [node(number, "r", 0.4 < feature < 0.6, feature)]
    return made


def made_at(nodes: list[Node], price: float) -> object:
    context = PolicyContext(solve(MDPSpec(price, 0.02)), calibration=calibration(nodes))
    return argo_advantage(context)


def test_learner_that_pays_on_questions_left_out_is_taken() -> None:
    policy = made_at(helped_in_the_middle(), 0.4)

    assert isinstance(policy, ArgoAdvantage)
    [predictors] = policy.predictors
    middle, edge = (predictors.advantages((at,))[RETRIEVE,] for at in (0.5, 0.05))
    assert middle > 0.5 and edge < 0.1


def test_plan_is_followed_where_no_learner_pays() -> None:
    draws = random.Random(2)
    made = []
    for number in range(100):
        made += [node(number, "", False, draws.random()), node(number, "r", number % 2 == 0)]

    assert isinstance(made_at(made, 0.9), BestPlan)


def test_probabilities_of_the_gold_choice_show_the_advantage_with_less_noise() -> None:
    """A retrieval raises the gold choice's probability by half of the feature."""
    draws, made = random.Random(4), []
    for number in range(60):
        feature = draws.random()
        for letters, probability in (("", 0.25), ("r", 0.25 + feature / 2)):
            own = node(number, letters, draws.random() < probability, feature)
            made.append(own.model_copy(update={"gold_probability": probability}))
    explored = Exploration.of(made)

    errors = {}
    for on_probabilities in (False, True):
        [predictors] = fit_advantages(explored, Fitting("ridge", on_probabilities))
        predicted = [predictors.advantages((at,))[RETRIEVE,] for at in (0.1, 0.5, 0.9)]
        errors[on_probabilities] = max(abs(np.array(predicted) - [0.05, 0.25, 0.45]))

    assert errors[True] < 0.01 < errors[False]


def test_probabilities_are_used_only_where_all_choices_were_scored() -> None:
    assert {
        own.on_probabilities for own in fittings(CHOICE_WORLD.calibration, FieldIndicators())
    } == {False, True}
    assert {
        own.on_probabilities for own in fittings(OPEN_WORLD.calibration, FieldIndicators())
    } == {False}


def test_forest_predicts_as_scikit_learn_does() -> None:
    from sklearn.ensemble import ExtraTreesRegressor

    generator = np.random.default_rng(0)
    rows = generator.normal(size=(200, 5))
    targets = rows[:, 0] * rows[:, 1]

    ours = fit_forest(rows.tolist(), targets.tolist())

    theirs = ExtraTreesRegressor(100, min_samples_leaf=25, max_features=0.4, random_state=0)
    expected = theirs.fit(rows, targets).predict(rows[:20])
    assert [ours.value(row) for row in rows[:20].tolist()] == pytest.approx(expected.tolist())


def test_forest_predicts_of_many_rows_to_the_last_bit_as_of_each_alone() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2500, 5))
    forest = fit_forest(rows[:200].tolist(), (rows[:200, 0] * rows[:200, 1]).tolist())

    assert forest.values(rows.tolist()) == [forest.value(row) for row in rows.tolist()]
    assert forest.values([]) == []


@pytest.fixture(scope="module")
def sources() -> Calibration:
    """A retrieval helps most questions from the wiki and none from the news, which no feature but
    the source tells apart."""
    return calibrated(200, helps_wiki=0.9, helps_news=0.0)


def reading(calibration: Calibration, reads_metadata: bool = True) -> object:
    parameters = AdvantageParameters(reads_metadata=reads_metadata)
    solution = solve(MDPSpec(retrieval_cost=0.3, reason_cost=0.02))
    return argo_advantage(PolicyContext(solution, parameters, 1, calibration=calibration))


def test_source_of_a_question_tells_where_a_retrieval_pays(sources: Calibration) -> None:
    made = reading(sources)

    actions = [made.decide(answered(own), random.Random(0)).action for own in ("wiki", "news")]

    assert actions == [RETRIEVE, Action.STOP]


@pytest.mark.parametrize("source", [None, "elsewhere"])
def test_question_of_no_known_source_is_decided_about_without_metadata(
    sources: Calibration, source: str | None
) -> None:
    made, plain = reading(sources), reading(sources, reads_metadata=False)

    decision = made.decide(answered(source), random.Random(0))

    assert decision == plain.decide(answered(source), random.Random(0))
    assert made.required_probes(answered(source)) == plain.required_probes(answered(source))


def test_metadata_is_not_read_unless_asked_for(sources: Calibration) -> None:
    without = sources.model_copy(update={"metadata": ()})

    plain = reading(without, reads_metadata=False)

    assert reading(sources, reads_metadata=False) == replace(plain, calibration=sources)


def test_metadata_that_parts_nothing_is_refused(sources: Calibration) -> None:
    without = sources.model_copy(update={"metadata": ()})

    with pytest.raises(ConfigError, match=r"reads_metadata=true: no field .* leave reads_metadata"):
        reading(without)
