from __future__ import annotations

import pytest

from argo_ml.results.study import Best, Difference, Score


def best(low: float, mean: float, high: float, sign: int | None = None) -> Best:
    score = Score(accuracy=0.5, cost=0.1, utility=0.4)
    return Best(
        retrieval_cost=0.1,
        trial=1,
        run_id="r1",
        settings={},
        tune=score,
        test=score,
        optimism=0.0,
        differences=(Difference(strategy="argo", mean=mean, low=low, high=high, sign=sign),),
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


@pytest.mark.parametrize(
    ("sign", "verdict", "why"),
    [
        (1, "tuning helped: ", "untuned ARGO on the test split"),
        (0, "tuning did not help measurably: ", "no question has shown yet may outweigh"),
    ],
)
def test_verdict_is_that_of_what_is_told_where_the_report_says_it(
    sign: int, verdict: str, why: str
) -> None:
    said = best(0.004, 0.006, 0.008, sign).verdict

    assert said.startswith(verdict)
    assert said.endswith(why)
