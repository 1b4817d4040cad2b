"""What a study's report says of its best settings."""

from __future__ import annotations

import pytest

from argo_ml.policies.argo import ARGO
from argo_ml.results.study import Best, Difference, Score


def verdict(mean: float, low: float, high: float) -> str:
    score = Score(accuracy=0.5, cost=0.1, utility=0.4)
    best = Best(
        retrieval_cost=0.11,
        trial=0,
        run_id="r1",
        settings={},
        tune=score,
        test=score,
        optimism=0.0,
        differences=(Difference(strategy=ARGO, mean=mean, low=low, high=high),),
    )
    return best.verdict


@pytest.mark.parametrize(
    ("interval", "begin", "end"),
    [
        ((0.2, 0.1, 0.3), "tuning helped: utility +0.200", "on the test split"),
        ((-0.2, -0.3, -0.1), "tuning did harm: utility -0.200", "on the test split"),
        ((0.1, -0.1, 0.3), "tuning did not help measurably", "an interval that holds 0"),
    ],
)
def test_the_interval_tells_whether_tuning_helped(
    interval: tuple[float, float, float], begin: str, end: str
) -> None:
    assert verdict(*interval).startswith(begin)
    assert verdict(*interval).endswith(end)


@pytest.mark.parametrize("mean", [0.26, -0.26, 0.0])
def test_a_difference_that_is_the_same_on_all_questions_settles_nothing(mean: float) -> None:
    """Of one question it always is."""
    said = verdict(mean, mean, mean)
    assert said.startswith("tuning did not help measurably")
    assert said.endswith("the same on all its questions, which settles nothing")
