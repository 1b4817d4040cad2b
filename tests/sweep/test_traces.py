"""Which episodes of a sweep are kept as traces, and what a trace says."""

from __future__ import annotations

from typing import Any

import mlflow
import pytest
from builders import result_builders
from builders.published_policy import PublishedSweep
from mlflow.entities import Trace

from argo_ml.config import SweepSpec
from argo_ml.sweep.traces import _AtOnce, _Chosen, _verdicts, choose_episodes


def test_questions_on_which_strategies_disagree_come_first() -> None:
    results = result_builders.results(SweepSpec(n_questions=6, retrieval_costs="0.02,0.2"))
    chosen = choose_episodes(results, 1_000)
    n_courses = [one.row.question_id for one in chosen]
    by_question = {key: n_courses.count(key) for key in dict.fromkeys(n_courses)}
    right = {
        key: {one.row.correct for one in chosen if one.row.question_id == key}
        for key in by_question
    }
    ranks = [(len(right[key]), by_question[key]) for key in by_question]
    assert ranks == sorted(ranks, reverse=True)


def test_no_more_episodes_than_asked_for_are_chosen_and_no_course_twice() -> None:
    results = result_builders.results(SweepSpec(n_questions=6, retrieval_costs="0.02,0.2"))
    chosen = choose_episodes(results, 7)
    courses = [(one.row.question_id, one.row.actions, one.row.answer) for one in chosen]
    assert len(chosen) == 7
    assert len(set(courses)) == 7


@pytest.mark.parametrize(
    ("money", "said"),
    [
        ({}, "0 -> 1, price 0.3: +0.7"),
        ({"value_of_correct": 2.0, "price_unit": "EUR"}, "0 -> 1, price 0.6 EUR: +1.4 EUR"),
    ],
)
def test_steps_are_charged_for_what_they_cost_beyond_answering_at_once(
    money: dict[str, Any], said: str
) -> None:
    spec = {**SweepSpec().model_dump(mode="json"), **money}
    results = result_builders.results(SweepSpec()).model_copy(update={"spec": spec})
    row = result_builders.row("q", ["retrieve"], {"retrieve": 0.4})
    own = _Chosen(results.cells[0], row, _AtOnce(correct=False, cost=0.1))

    *_, paid_off = _verdicts(results, own, "Lima")

    assert (paid_off.name, paid_off.value) == ("paid_off", True)
    assert paid_off.rationale.endswith(said)


def test_what_answering_at_once_cost_is_that_of_never() -> None:
    results = result_builders.results(
        SweepSpec(n_questions=6, retrieval_costs="0.1", strategies="never,always_retrieve")
    )
    never = results.cells[0]
    priced = [row.model_copy(update={"cost": 0.05}) for row in never.questions]
    cells = (never.model_copy(update={"questions": tuple(priced)}), *results.cells[1:])

    chosen = choose_episodes(results.model_copy(update={"cells": cells}), 100)

    assert {one.without.cost for one in chosen if one.without} == {0.05}


@pytest.fixture(scope="module")
def traces(published_sweep: PublishedSweep) -> list[Trace]:
    mlflow.set_tracking_uri(published_sweep.uri)
    experiment = mlflow.get_experiment_by_name("serving")
    condition = f"tags.`argo.sweep_id` = '{published_sweep.sweep}' and tags.`argo.kind` = 'cell'"
    return mlflow.search_traces(
        locations=[experiment.experiment_id], filter_string=condition, return_type="list"
    )


@pytest.mark.slow
def test_a_sweep_keeps_twenty_traces_linked_to_its_cells(
    published_sweep: PublishedSweep, traces: list[Trace]
) -> None:
    runs = {cell.run_id for cell in published_sweep.results.cells}
    assert len(traces) == 20
    assert {trace.info.trace_metadata["mlflow.sourceRun"] for trace in traces} <= runs


@pytest.mark.slow
def test_a_trace_shows_the_episode_step_by_step(traces: list[Trace]) -> None:
    names = [[span.name for span in trace.data.spans[1:]] for trace in traces]
    assert ["decide", "retrieve", "read", "decide", "synthesize"] in names
    assert ["decide", "synthesize"] in names
    [trace] = [one for one, own in zip(traces, names, strict=True) if "retrieve" in own][:1]
    kinds = {span.name: span.span_type for span in trace.data.spans}
    models = {
        span.attributes.get("mlflow.llm.model")
        for span in trace.data.spans
        if span.span_type == "LLM"
    }
    assert len(models) == 1 and all(models)
    assert kinds["retrieve"] == "RETRIEVER"
    assert kinds["read"] == "LLM"
    [retrieval] = [span for span in trace.data.spans if span.name == "retrieve"][:1]
    assert retrieval.outputs[0]["page_content"].startswith(("Land", "Ardenia", "Borland"))


@pytest.mark.slow
def test_verdicts_and_tokens_are_those_of_the_row(
    published_sweep: PublishedSweep, traces: list[Trace]
) -> None:
    rows = {
        (cell.run_id, row.question_id): row
        for cell in published_sweep.results.cells
        for row in cell.questions
    }
    for trace in traces:
        info = trace.info
        row = rows[info.trace_metadata["mlflow.sourceRun"], info.tags["argo.question_id"]]
        verdicts = {one.name: one.value for one in info.assessments if one.name == "correct"}
        assert verdicts == {"correct": row.correct}
        assert info.token_usage["input_tokens"] == row.prompt_tokens
        assert info.token_usage["output_tokens"] == row.completion_tokens


@pytest.mark.slow
def test_a_step_that_did_not_change_the_verdict_did_not_pay_off(traces: list[Trace]) -> None:
    paid = [one for trace in traces for one in trace.info.assessments if one.name == "paid_off"]
    assert {one.value for one in paid} == {True, False}
    for one in paid:
        assert one.value == ("0 -> 1" in one.rationale)
