"""What each policy needs, and how it is told where that is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from builders.recorded_outcomes import choice_line, open_line, tree_line

from argo_ml.config import ReplaySpec, build
from argo_ml.errors import ConfigError, DataError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import STRATEGIES
from argo_ml.policies.base import Probe
from argo_ml.policies.context import PolicyContext
from argo_ml.replay.needs import check_replayable, choose_policies, replay_needs
from argo_ml.replay.splitting import read_parts
from argo_ml.testing.calibrations import WORLDS

MakeSpec = Callable[..., ReplaySpec]
PLAIN = ("never", "single", "oracle")
GATES = tuple(name for name in replay_needs() if STRATEGIES[name].is_gate)
OF_TWO_ANSWERS = tuple(
    name
    for name, needs in replay_needs().items()
    if not {"reason", "multi", "retrieve>retrieve"} & set(needs.plans) and name != "score_gate"
)
"""Policies that need no further answer than without and with one retrieval, or of other sizes,
and no score of the user's own."""
READING = ("skr_knn", "question_only")
"""Gates that read the question alone."""


def lacking(name: str) -> list[dict[str, Any]]:
    """Four open questions to test on, the third without a field of its closed-book answer."""
    lines = [open_line(number) for number in range(10, 14)]
    del lines[2]["outcomes"]["none"][name]
    return lines


def calibrating() -> list[dict[str, Any]]:
    return [open_line(number) for number in range(10)]


def test_every_gate_can_be_replayed() -> None:
    assert tuple(name for name, strategy in STRATEGIES.items() if strategy.is_gate) == GATES


@pytest.mark.parametrize("name", GATES)
def test_what_reads_the_embedding_is_said_to(name: str) -> None:
    for world in WORLDS:
        solution = solve(MDPSpec(retrieval_cost=0.1))
        policy: Any = STRATEGIES[name].make(PolicyContext(solution, calibration=world.calibration))
        required_probes = policy.required_probes(world.state(world.questions[0], ()))
        assert (Probe.VECTOR in required_probes) == replay_needs()[name].embeds


@pytest.mark.parametrize(
    ("field", "policy"),
    [
        ("entropy", "entropy_gate"),
        ("margin", "margin_gate"),
        ("margin", "tasr"),
        ("samples", "variance_gate"),
    ],
)
def test_a_missing_field_is_told_with_line_and_policy(
    make_spec: MakeSpec, field: str, policy: str
) -> None:
    parts = read_parts(make_spec(lacking(field), calibrating()))
    message = (
        f"line 3: outcomes.none.{field} is missing, which {policy} needs; record it for every "
        "question, or leave the policy out"
    )
    with pytest.raises(DataError, match=message):
        choose_policies([policy], parts)
    found = choose_policies([], parts)
    assert policy not in found
    assert {*PLAIN, *READING} <= set(found)


def test_all_is_chosen_where_all_is_there(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    parts = read_parts(make_spec([open_line(10), open_line(11)], calibrating()))
    with caplog.at_level(logging.INFO):
        assert choose_policies([], parts) == OF_TWO_ANSWERS
    assert "argo is left out: calibration_outcomes=" in caplog.text
    assert "line 1: outcomes.reason is missing, which argo needs" in caplog.text
    assert {*GATES, "argo_calibrated", "argo_fitted", "tasr"} - {"score_gate"} <= set(
        OF_TWO_ANSWERS
    )


def test_what_is_left_out_is_logged(make_spec: MakeSpec, caplog: pytest.LogCaptureFixture) -> None:
    parts = read_parts(make_spec(lacking("samples"), calibrating()))
    with caplog.at_level(logging.INFO):
        choose_policies([], parts)
    assert "variance_gate is left out: outcomes=" in caplog.text
    assert "line 3: outcomes.none.samples is missing" in caplog.text


def test_the_draft_counts_before_the_answer(make_spec: MakeSpec) -> None:
    lines, others = lacking("entropy"), calibrating()
    for line in (*lines, *others):
        line["outcomes"]["none"]["draft"] = {"entropy": 1.0}
    parts = read_parts(make_spec(lines, others))
    assert choose_policies(["entropy_gate"], parts) == ("entropy_gate",)
    with pytest.raises(DataError, match=r"none.margin is missing, which margin_gate needs"):
        choose_policies(["margin_gate"], parts)


def test_drafts_of_some_are_not_compared_with_answers_of_others(make_spec: MakeSpec) -> None:
    lines = lacking("entropy")
    lines[2]["outcomes"]["none"]["draft"] = {"entropy": 1.0}
    parts = read_parts(make_spec(lines, calibrating()))
    message = r"line 3: outcomes.none.entropy is missing, which entropy_gate needs"
    with pytest.raises(DataError, match=message):
        choose_policies(["entropy_gate"], parts)


def test_an_empty_answer_lacks_no_signal(make_spec: MakeSpec) -> None:
    lines = lacking("entropy")
    lines[2]["outcomes"]["none"] = {"answer": "", "n_tokens": 0, "samples": ["a", "b"]}
    parts = read_parts(make_spec(lines, calibrating()))
    assert choose_policies([], parts) == OF_TWO_ANSWERS


def test_tasr_needs_the_signals_after_every_retrieval_but_the_last(make_spec: MakeSpec) -> None:
    lines = [tree_line(number) for number in range(14)]
    del lines[1]["outcomes"]["retrieve>retrieve"]["margin"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    assert choose_policies(["tasr"], parts) == ("tasr",)
    del lines[2]["outcomes"]["retrieve"]["margin"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    message = (
        r"line 3: outcomes.retrieve.margin is missing, which tasr needs after every retrieval but "
        "the last"
    )
    with pytest.raises(DataError, match=message):
        choose_policies(["tasr"], parts)
    assert "tasr" not in choose_policies([], parts)
    assert choose_policies(["tasr"], parts, n_steps=1) == ("tasr",)


def test_raser_needs_two_steps(make_spec: MakeSpec, caplog: pytest.LogCaptureFixture) -> None:
    lines = [tree_line(number) for number in range(14)]
    for line in lines:
        del line["outcomes"]["reason>retrieve"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    message = "raser needs 2 steps, and 1 is as far as .* give max_steps=2, or leave the policy out"
    with pytest.raises(DataError, match=message):
        choose_policies(["raser"], parts)
    assert choose_policies(["raser"], parts, n_steps=2) == ("raser",)
    with caplog.at_level(logging.INFO):
        assert "raser" not in choose_policies([], parts)
    assert "raser is left out: raser needs 2 steps" in caplog.text


def test_adaptive_rag_is_left_out_where_many_retrievals_cannot_be_paid(
    make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [tree_line(number) for number in range(14)]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    assert "adaptive_rag" in choose_policies([], parts)
    del lines[2]["outcomes"]["multi"]["actions"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    with caplog.at_level(logging.INFO):
        assert "adaptive_rag" not in choose_policies([], parts)
    assert "line 3: outcomes.multi.actions is missing, which adaptive_rag needs" in caplog.text


def test_what_promises_nothing_is_left_out_where_gates_are_to(make_spec: MakeSpec) -> None:
    parts = read_parts(make_spec([open_line(10), open_line(11)], calibrating()))
    promise = "share of retrievals <= 0.3"
    assert "graded" in choose_policies([], parts)
    promising = choose_policies([], parts, guarantee=promise)
    assert "graded" not in promising
    assert "max_prob_gate" in promising


def test_choices_need_their_probabilities(make_spec: MakeSpec) -> None:
    lines = [choice_line(number) for number in range(14)]
    del lines[1]["outcomes"]["none"]["probabilities"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    for policy in ("entropy_gate", "margin_gate", "variance_gate"):
        message = f"line 2: outcomes.none.probabilities is missing, which {policy} needs"
        with pytest.raises(DataError, match=message):
            choose_policies([policy], parts)


def test_a_choice_that_was_written_may_have_signals_instead(make_spec: MakeSpec) -> None:
    lines = [choice_line(number, logprob=-0.5, entropy=1.0, margin=0.2) for number in range(14)]
    for line in lines:
        del line["outcomes"]["none"]["probabilities"]
    parts = read_parts(make_spec(lines[:4], lines[4:]))
    wanted = ("entropy_gate", "margin_gate", "variance_gate", "max_prob_gate", "benefit_gate")
    assert choose_policies(wanted, parts) == wanted


def test_policies_of_p_hat_need_no_log_probability(make_spec: MakeSpec) -> None:
    parts = read_parts(make_spec(lacking("logprob"), calibrating()))
    wanted = ("max_prob_gate", "graded", "benefit_gate")
    assert choose_policies(wanted, parts) == wanted


def test_sizes_are_needed_to_calibrate_and_else_where_they_are_chosen(
    make_spec: MakeSpec,
) -> None:
    tested, others = lacking("samples"), calibrating()
    del tested[0]["outcomes"]["retrieve_5"]
    parts = read_parts(make_spec(tested, others))
    assert choose_policies(["graded"], parts) == ("graded",)
    assert "graded" not in choose_policies([], parts)
    del others[1]["outcomes"]["retrieve_1"]
    parts = read_parts(make_spec(tested, others))
    message = r"calibration.jsonl: line 2: outcomes.retrieve_1 is missing, which graded needs"
    with pytest.raises(DataError, match=message):
        choose_policies(["graded"], parts)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"policies": "flare"}, "policy 'flare' cannot be replayed; known: argo, argo_optimal"),
        ({"policies": "entropy"}, "policy 'entropy' cannot .*did you mean 'entropy_gate'"),
        ({"policies": "never,never"}, "policies=never,never repeats a value"),
        ({"retrieval_costs": "0.1,0.1"}, "retrieval_costs=0.1,0.1 repeats a value"),
        ({"retrieval_costs": ","}, "retrieval_costs is empty"),
        ({"calibration_share": 1.0}, "calibration_share=1.0: input should be less than 1"),
    ],
)
def test_a_spec_that_cannot_be_replayed_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        spec = build(ReplaySpec, {"outcomes": "o.jsonl", **values})
        check_replayable(spec.policies)
