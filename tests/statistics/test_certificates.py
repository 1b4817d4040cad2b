from __future__ import annotations

import math

import numpy as np
import pytest

from argo_ml.statistics.certificates import (
    Unmet,
    answering_threshold,
    binomial_p_value,
    retrieval_threshold,
)
from argo_ml.statistics.frontiers import conservative_budget, threshold_for_budget


def test_p_value_is_the_binomial_tail_by_hand() -> None:
    # Of 3 with level 0.5: none or one in (1 + 3) of 8 ways.
    assert binomial_p_value(1, 3, 0.5) == pytest.approx(0.5)


def test_retrievals_are_those_that_the_exact_bound_allows() -> None:
    # P(Bin(100, 0.3) <= 22) = 0.048 and P(Bin(100, 0.3) <= 23) = 0.076.
    scores = [float(score) for score in range(100)]

    assert retrieval_threshold(scores, 0.3, 0.05) == 78.0


def test_exact_bound_leaves_less_slack_than_hoeffdings() -> None:
    scores = [float(score) for score in range(300)]

    exact = retrieval_threshold(scores, 0.2, 0.05)
    by_hoeffding = threshold_for_budget(scores, conservative_budget(0.2, 300, 0.05))

    assert exact < by_hoeffding


def test_too_few_questions_allow_no_retrieval() -> None:
    # (1 - 0.1)^10 = 0.35: ten questions without any say nothing.
    assert retrieval_threshold([1.0] * 10, 0.1, 0.05) == math.inf


def test_ties_stay_together() -> None:
    assert retrieval_threshold([1.0] * 40 + [0.0] * 60, 0.3, 0.05) == math.inf


def test_answers_are_given_down_to_the_confidence_that_keeps_the_promise() -> None:
    # Right where confidence is 0.8, wrong half the time where it is 0.4.
    confidences = [0.8] * 100 + [0.4] * 100
    correct = [True] * 100 + [True, False] * 50

    assert answering_threshold(confidences, correct, 0.2, 0.05) == 0.41
    assert answering_threshold(confidences, correct, 0.35, 0.05) == 0.0


def test_promise_that_fails_says_what_would_keep_it() -> None:
    # 3 of 20 wrong: the promise of 0.3 takes more questions, and 0.34 is kept by these 20.
    unmet = answering_threshold([0.9] * 20, [True] * 17 + [False] * 3, 0.3, 0.05)

    assert isinstance(unmet, Unmet)
    assert unmet.n_needed is not None
    assert 20 < unmet.n_needed < 40
    assert (
        binomial_p_value(3, 20, unmet.level) <= 0.05 < binomial_p_value(3, 20, unmet.level - 0.01)
    )


def test_promise_beyond_the_rates_names_no_number_of_questions() -> None:
    unmet = answering_threshold([0.9] * 20, [True, False] * 10, 0.3, 0.05)

    assert isinstance(unmet, Unmet)
    assert unmet.n_needed is None


@pytest.mark.parametrize("n", [100, 400])
def test_promises_are_broken_by_at_most_delta_of_samples(n: int) -> None:
    generator, n_broken = np.random.default_rng(3), 0
    for _ in range(200):
        # From confidence c on, (1 - c) / 2 are wrong.
        confidences = generator.uniform(0.3, 1.0, n)
        correct = generator.random(n) < confidences
        own = answering_threshold(confidences.tolist(), correct.tolist(), 0.25, 0.05)
        n_broken += isinstance(own, float) and (1.0 - own) / 2 > 0.25

    assert n_broken <= 10


@pytest.mark.parametrize(("level", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.2, 0.0)])
def test_shares_lie_between_0_and_1(level: float, delta: float) -> None:
    with pytest.raises(ValueError, match="needs 0 <"):
        answering_threshold([0.5], [True], level, delta)
