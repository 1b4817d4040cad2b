"""A week of requests beside the sweep: what is said, and what is too little to say anything."""

from __future__ import annotations

from argo_ml.serving.published import PublishedPolicy, StrategyRange, SweptPrice
from argo_ml.serving.watching import ServedRequest, weeks

PUBLISHED = PublishedPolicy(
    sweep_id="sweep",
    experiment_id="1",
    argo_ml="0",
    spec={},
    digests={},
    ranges=(StrategyRange(strategy="argo_calibrated"),),
    prices=(
        SweptPrice(
            retrieval_cost=0.1,
            strategy="argo_calibrated",
            accuracy=0.8,
            utility=0.7,
            retrieval_calls=0.5,
            retrieval_share=0.5,
        ),
    ),
    default_price=0.1,
    trace_sampling=1.0,
    n_questions=100,
    answer="",
    example={},
)


def requests(
    n_retrieve: int, n_stop: int, p_hat: float = 0.8, n_right: int = 0, n_wrong: int = 0
) -> list[ServedRequest]:
    """The first are judged."""
    verdicts = [True] * n_right + [False] * n_wrong
    verdicts_or_none: list[bool | None] = [*verdicts]
    verdicts_or_none += [None] * (n_retrieve + n_stop - len(verdicts))
    return [
        ServedRequest("2026-W10", 0.1, number < n_retrieve, p_hat, verdict)
        for number, verdict in enumerate(verdicts_or_none)
    ]


def test_a_week_like_the_sweep_has_no_warning() -> None:
    [week] = weeks(requests(24, 26, n_right=40, n_wrong=10), PUBLISHED)
    assert (week.n_requests, week.retrieves, week.expected_retrieves) == (50, 0.48, 0.5)
    assert (week.n_judged, week.accuracy) == (50, 0.8)
    assert week.warnings == ()


def test_retrieving_much_more_often_than_in_the_sweep_is_said() -> None:
    [week] = weeks(requests(45, 5), PUBLISHED)
    assert week.warnings == (
        "retrieves for 90% of 50 requests, in the sweep for 50%: the questions may be of another "
        "kind",
    )


def test_p_hat_that_does_not_come_true_is_said() -> None:
    [week] = weeks(requests(25, 25, n_right=25, n_wrong=25), PUBLISHED)
    assert week.warnings == ("50% of 50 judged answers are right, p-hat says 80%: calibrate again",)


def test_few_requests_say_nothing() -> None:
    [week] = weeks(requests(10, 0, n_wrong=10), PUBLISHED)
    assert week.warnings == ()


def test_requests_at_prices_that_were_not_swept_have_no_expectation() -> None:
    other = [ServedRequest("2026-W10", 0.07, True, None, None)] * 30
    [week] = weeks(other, PUBLISHED)
    assert (week.expected_retrieves, week.mean_p_hat, week.warnings) == (None, None, ())
