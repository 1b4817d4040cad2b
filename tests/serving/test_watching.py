"""A week of requests beside the sweep: what is said, and what is too little to say anything."""

from __future__ import annotations

from typing import Any

import pytest
from builders.policy_files import published_at
from mlflow import MlflowClient
from mlflow.entities import AssessmentError, Expectation, Feedback
from mlflow.tracing.client import TracingClient

from argo_ml.serving.deciding import PolicyDecision
from argo_ml.serving.published import SweptPrice
from argo_ml.serving.questions import read_asked
from argo_ml.serving.tracing import RequestTracer
from argo_ml.serving.watching import ServedRequest, served_requests, weeks

PUBLISHED = published_at(
    SweptPrice(
        retrieval_cost=0.1,
        strategy="argo_calibrated",
        accuracy=0.8,
        utility=0.7,
        retrieval_calls=0.5,
        retrieval_share=0.5,
    )
)


def requests(
    n_retrieve: int, n_stop: int, p_hat: float | None = 0.8, n_right: int = 0, n_wrong: int = 0
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
    assert week.warnings == (
        "50% of 50 judged answers that have a p-hat are right, it says 80%: calibrate again",
    )


@pytest.mark.parametrize(("n_retrieve", "n_warnings"), [(840, 0), (700, 1)])
def test_what_the_sweep_knows_of_its_own_share_is_reckoned_with(
    n_retrieve: int, n_warnings: int
) -> None:
    """100 questions of which half retrieved, beside 2,000 requests."""
    [week] = weeks(requests(n_retrieve, 2000 - n_retrieve), PUBLISHED)
    assert len(week.warnings) == n_warnings


def test_verdicts_on_answers_without_p_hat_count_but_say_nothing_of_p_hat() -> None:
    fixed = [ServedRequest("2026-W10", 0.1, True, None, number < 10) for number in range(40)]
    [week] = weeks(fixed, PUBLISHED)
    assert (week.n_judged, week.accuracy) == (40, 0.25)
    assert (week.n_confident, week.confident_accuracy, week.confident_p_hat) == (0, None, None)


def test_p_hat_is_held_against_the_verdicts_on_answers_that_have_one() -> None:
    fixed = [ServedRequest("2026-W10", 0.1, False, None, False)] * 25
    [week] = weeks([*requests(25, 0, n_right=20, n_wrong=5), *fixed], PUBLISHED)
    assert (week.n_judged, week.accuracy) == (50, 0.4)
    assert (week.n_confident, week.confident_accuracy) == (25, 0.8)
    assert week.warnings == ()


def test_a_question_that_is_asked_about_again_after_a_step_counts_once() -> None:
    again = [ServedRequest("2026-W10", 0.1, False, 0.8, True, n_steps=1)] * 25
    [week] = weeks([*requests(25, 25), *again], PUBLISHED)
    assert (week.n_requests, week.retrieves, week.n_judged) == (75, 0.5, 25)


def test_few_requests_say_nothing() -> None:
    [week] = weeks(requests(10, 0, n_wrong=10), PUBLISHED)
    assert week.warnings == ()


def test_requests_at_prices_that_were_not_swept_have_no_expectation() -> None:
    other = [ServedRequest("2026-W10", 0.07, True, None, None)] * 30
    [week] = weeks(other, PUBLISHED)
    assert (week.expected_retrieves, week.mean_p_hat, week.warnings) == (None, None, ())


@pytest.mark.parametrize("price", [1 / 30, 0.0457142857, 123_456.789])
@pytest.mark.parametrize("write", [repr, "{:g}".format])
def test_a_price_is_found_among_the_swept_ones_however_its_trace_writes_it(
    price: float, write: Any
) -> None:
    swept = PUBLISHED.prices[0]
    prices = (swept, swept.model_copy(update={"retrieval_cost": price, "retrieval_share": 0.25}))
    request = ServedRequest("2026-W10", float(write(price)), True, None, None)
    [week] = weeks([request], PUBLISHED.model_copy(update={"prices": prices}))
    assert week.expected_retrieves == 0.25


def trace_request(
    uri: str,
    price: float,
    strategy: str = "argo_calibrated",
    model_id: str = "",
    action: str = "retrieve",
) -> None:
    tracer = RequestTracer(PUBLISHED, uri)
    decision = PolicyDecision(action, action == "retrieve", strategy, price, p_hat=0.5)
    tracer.decided(read_asked({"question": "Q?", "decide_only": True}), decision, model_id)
    tracer.flush()


def test_traces_that_wait_are_written_when_the_process_ends(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_end: list[Any] = []
    monkeypatch.setattr("atexit.register", lambda *call: at_the_end.append(call))
    tracer = RequestTracer(PUBLISHED, tracking_uri)
    decision = PolicyDecision("stop", False, "argo_calibrated", 0.1, p_hat=0.5)
    tracer.decided(read_asked({"question": "Q?", "decide_only": True}), decision, "")
    [(flush, _)] = [call for call in at_the_end if call[0] == tracer.flush]
    flush(60.0)
    assert served(tracking_uri).p_hat == 0.5


def test_a_request_is_told_the_id_of_its_trace_which_keeps_the_id_of_the_question(
    tracking_uri: str,
) -> None:
    tracer = RequestTracer(PUBLISHED, tracking_uri)
    decision = PolicyDecision("stop", False, "argo_calibrated", 0.1, p_hat=0.5)
    asked = read_asked({"question": "Q?", "decide_only": True, "question_id": "ticket-7"})
    trace_id = tracer.decided(asked, decision, "")
    tracer.flush()

    TracingClient(tracking_uri).log_assessment(trace_id, Feedback(name="correct", value=True))
    trace = MlflowClient(tracking_uri).get_trace(trace_id)
    assert trace.info.tags["argo.question_id"] == "ticket-7"
    assert served(tracking_uri).correct is True


def test_a_request_that_is_not_traced_is_told_no_id(tracking_uri: str) -> None:
    unsampled = PUBLISHED.model_copy(update={"trace_sampling": 0.0})
    asked = read_asked({"question": "Q?", "decide_only": True})
    decision = PolicyDecision("stop", False, "argo_calibrated", 0.1)
    assert RequestTracer(unsampled, tracking_uri).decided(asked, decision, "") == ""
    assert RequestTracer(PUBLISHED, "").decided(asked, decision, "") == ""


def traced(uri: str, price: float = 0.1) -> str:
    """The id of the trace of one request."""
    trace_request(uri, price)
    [trace] = TracingClient(uri).search_traces(locations=["0"], include_spans=False)
    return str(trace.info.trace_id)


def served(uri: str) -> ServedRequest:
    [request] = served_requests(MlflowClient(uri), PUBLISHED)
    return request


def verdict(value: Any, at_ms: int, **fields: Any) -> Feedback:
    return Feedback("correct", value, create_time_ms=at_ms, last_update_time_ms=at_ms, **fields)


def judged(uri: str, trace_id: str, *assessments: Any) -> bool | None:
    """What the request counts as once its trace has these as well."""
    for assessment in assessments:
        TracingClient(uri).log_assessment(trace_id, assessment)
    return served(uri).correct


def test_a_trace_tells_the_price_in_full(tracking_uri: str) -> None:
    traced(tracking_uri, price=1 / 30)
    assert served(tracking_uri).retrieval_cost == 1 / 30


@pytest.mark.parametrize(("action", "p_hat"), [("retrieve", None), ("reason", None), ("stop", 0.5)])
def test_p_hat_is_of_an_answer_that_is_given(
    tracking_uri: str, action: str, p_hat: float | None
) -> None:
    trace_request(tracking_uri, 0.1, action=action)
    assert served(tracking_uri).p_hat == p_hat


def test_requests_of_other_policies_of_the_same_sweep_are_left_out(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    for price, strategy, model_id in (
        (0.1, "argo_calibrated", "own"),
        (0.2, "argo_calibrated", "replaced"),
        (0.3, "max_prob_gate", "other"),
        (0.4, "argo_calibrated", ""),
        (0.5, "max_prob_gate", ""),
    ):
        trace_request(tracking_uri, price, strategy, model_id)

    def prices(model_id: str) -> list[float]:
        seen = served_requests(client, PUBLISHED, model_id)
        return sorted(one.retrieval_cost for one in seen)

    assert prices("own") == [0.1, 0.4]
    assert prices("") == [0.1, 0.2, 0.4]


def test_verdicts_are_read_in_the_forms_that_feedback_has(tracking_uri: str) -> None:
    trace_id = traced(tracking_uri)
    right = [judged(tracking_uri, trace_id, verdict(v, 1)) for v in ("unknown", 0.7, ["yes"])]
    assert right == [None, None, None]
    values = (True, False, 1, 0.0, "yes", "No", "true", "FALSE ")
    right = [judged(tracking_uri, trace_id, verdict(v, at)) for at, v in enumerate(values, 2)]
    assert right == [True, False] * 4


def test_the_latest_verdict_holds_in_whatever_order_they_are_stored(tracking_uri: str) -> None:
    three = verdict("no", 3), verdict("yes", 2), verdict("yes", 1)
    assert judged(tracking_uri, traced(tracking_uri), *three) is False


def test_a_scorer_that_failed_has_judged_nothing(tracking_uri: str) -> None:
    trace_id = traced(tracking_uri)
    failed = verdict(None, 2, error=AssessmentError("TIMEOUT", "no answer"))
    assert judged(tracking_uri, trace_id, failed) is None
    assert judged(tracking_uri, trace_id, verdict(True, 1)) is True


def test_what_was_overridden_and_what_is_no_feedback_are_left_out(tracking_uri: str) -> None:
    trace_id, client = traced(tracking_uri), TracingClient(tracking_uri)
    first = client.log_assessment(trace_id, verdict(True, 5))
    override = verdict(False, 4, overrides=first.assessment_id)
    expected = Expectation("correct", True, last_update_time_ms=9)
    assert judged(tracking_uri, trace_id, override, expected) is False
