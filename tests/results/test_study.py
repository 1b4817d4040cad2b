from __future__ import annotations

import pytest

from argo_ml.results.study import Best, Difference, Score


def best(low: float, mean: float, high: float) -> Best:
    score = Score(accuracy=0.5, cost=0.1, utility=0.4)
    return Best(
        retrieval_cost=0.1,
        trial=1,
        run_id="r1",
        settings={},
        tune=score,
        test=score,
        optimism=0.0,
        differences=(Difference(strategy="argo", mean=mean, low=low, high=high),),
    )


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.01, 0.02, 0.03), "tuning helped: utility +0.020 [+0.010, +0.030] against untuned ARGO"),
        ((-0.03, -0.02, -0.01), "tuning did harm: utility -0.020 [-0.030, -0.010] against"),
        ((-0.01, 0.02, 0.05), "tuning did not help measurably: utility +0.020 [-0.010, +0.050]"),
        ((0.02, 0.02, 0.02), "tuning did not help measurably: utility +0.020 [no interval: no spr"),
    ],
)
def test_verdict_is_that_of_the_interval(
    interval: tuple[float, float, float], verdict: str
) -> None:
    assert best(*interval).verdict.startswith(verdict)
