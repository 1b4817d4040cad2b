"""A policy published from recorded outcomes: it decides as the replay did, and answers nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders.places import at_work_in
from builders.recorded_outcomes import choice_line, open_line, replay_spec, tree_line

from argo_ml.advising.running import run_advice
from argo_ml.config import AdviseSpec, PublishSpec, build
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.replay.storing import run_replay
from argo_ml.results.records import Results
from argo_ml.serving.loading import Policy, load_policy
from argo_ml.serving.publishing import publish
from argo_ml.serving.questions import RequestError
from argo_ml.serving.recorded import replayed_calibrations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]
PRICES = "0.02,0.1,0.3"
DECIDING = ("argo_fitted", "argo_segment", "score_gate", "max_prob_gate")


@dataclass(frozen=True)
class Replayed:
    folder: Path
    results: Results
    lines: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, str]

    def published(self, strategy: str, name: str = "") -> Policy:
        uri = self.places["tracking_uri"]
        values = {"sweep": self.results.sweep_id, "strategy": strategy, "tracking_uri": uri}
        return load_policy(
            publish(build(PublishSpec, {**values, "name": name or strategy})).uri, uri
        )


@pytest.fixture(scope="module")
def replayed(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("recorded")
    lines = [*map(tree_line, range(40)), *map(choice_line, range(20))]
    with at_work_in(folder, warm_cache, empty_store) as places:
        values = {
            "policies": "never,single,margin_gate," + ",".join(DECIDING),
            "retrieval_costs": PRICES,
            "calibration_share": "0.6",
            **places,
        }
        for line in lines:
            line["metadata"] = {"source": "web" if is_known(line) else "wiki"}
            line["outcomes"]["none"]["scores"] = {"doubt": 0.1 if is_known(line) else 0.9}
            if "choices" in line:
                only = line["outcomes"]["retrieve"]
                for plan in ("reason", "retrieve>retrieve", "retrieve>reason"):
                    line["outcomes"][plan] = only
                for plan in ("reason>retrieve", "reason>reason"):
                    line["outcomes"][plan] = only
        results = run_replay(replay_spec(folder, lines, **values)).results
        yield Replayed(folder, results, {line["id"]: line for line in lines}, places)


def is_known(line: Mapping[str, Any]) -> bool:
    """Whether the answer without retrieval is right."""
    answer = line["outcomes"]["none"]["answer"]
    return any(str(gold) in str(answer) for gold in line["golden_answers"])


def known(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a caller says of the question, and of the answer without retrieval."""
    seen = line["outcomes"]["none"]
    of_question = {"metadata": line.get("metadata", {}), "scores": seen.get("scores", {})}
    if "choices" in line:
        logprobs = [math.log(share) for share in seen["probabilities"]]
        return {"choices": line["choices"], "choice_logprobs": logprobs, **of_question}
    return {"answer": seen["answer"], "token_logprobs": [known_token(seen)], **of_question}


def known_token(seen: Mapping[str, Any]) -> dict[str, float]:
    """One token that has the means of a recorded answer."""
    gap = -math.log1p(-seen["margin"])
    return {"logprob": seen["logprob"], "entropy": seen["entropy"], "gap": gap}


@pytest.fixture(scope="module")
def walked(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    """Everything is recorded after every action, and what retrievals found."""
    folder = tmp_path_factory.mktemp("walked")
    lines = list(map(tree_line, range(60)))
    for number, line in enumerate(lines):
        for plan, outcome in line["outcomes"].items():
            if plan.endswith("retrieve"):
                found = f"right-{number} is said here" if number % 3 else "nothing"
                outcome["evidence"] = [{"text": found, "similarity": (number % 7) / 7}]
    with at_work_in(folder, warm_cache, empty_store) as places:
        policies = {"policies": "never,single,argo,argo_fitted", "retrieval_costs": PRICES}
        results = run_replay(replay_spec(folder, lines, **policies, **places)).results
        yield Replayed(folder, results, {line["id"]: line for line in lines}, places)


def known_after(line: Mapping[str, Any], actions: Sequence[str]) -> dict[str, Any]:
    """What a caller says after these actions, in which each outcome follows on the one before."""
    plans = [">".join(actions[:length]) or "none" for length in range(len(actions) + 1)]
    outcomes = [line["outcomes"][plan] for plan in plans]
    answers = [{"answer": own["answer"], "token_logprobs": [known_token(own)]} for own in outcomes]
    steps = [
        {**answer, "action": action, "passages": after.get("evidence", [])}
        for answer, action, after in zip(answers[:-1], actions, outcomes[1:], strict=True)
    ]
    return {**answers[-1], "steps": steps}


@pytest.mark.parametrize("strategy", ["argo", "argo_fitted"])
def test_it_goes_the_whole_way_of_the_replay_with_who_says_what_was_done(
    walked: Replayed, strategy: str
) -> None:
    policy, n_later = walked.published(strategy, f"walks-{strategy}"), 0
    for cell in walked.results.row(strategy):
        for row in cell.questions:
            line = walked.lines[row.question_id]
            for n_steps, action in enumerate((*row.actions, "stop")):
                said = known_after(line, row.actions[:n_steps])
                decision = policy.decide(line["question"], price=cell.retrieval_cost, **said)
                assert decision.action == action
                if row.decisions:
                    recorded = row.decisions[n_steps]
                    assert decision.p_hat == pytest.approx(recorded.confidence)
                    assert decision.expected_gain == pytest.approx(recorded.expected_gain)
                n_later += n_steps > 0
    assert n_later > 0


def test_what_was_recorded_after_a_step_has_to_be_said(walked: Replayed) -> None:
    policy = walked.published("argo_fitted", "asking")
    line = walked.lines["open-1"]
    said = known_after(line, ["retrieve"])
    [step] = said["steps"]
    with pytest.raises(RequestError, match=r"steps.0 needs passages, which the policy looks at"):
        policy.decide(line["question"], **{**said, "steps": [{**step, "passages": None}]})
    with pytest.raises(RequestError, match="decide_only needs answer and token_logprobs"):
        policy.decide(line["question"], **{**said, "token_logprobs": []})
    with pytest.raises(RequestError, match=r"steps\.0 needs answer and token_logprobs"):
        policy.decide(line["question"], **{**said, "steps": [{**step, "answer": None}]})


def test_what_was_recorded_of_no_answer_after_a_step_is_not_looked_at(replayed: Replayed) -> None:
    """Questions with choices have no signals after a step here, so that policies see none."""
    policy = replayed.published("argo_fitted", "blind")
    for cell in replayed.results.row("argo_fitted"):
        for row in cell.questions:
            line = replayed.lines[row.question_id]
            if row.actions and "choices" not in line:
                said = {**known(line), **known_after(line, row.actions)}
                decision = policy.decide(line["question"], price=cell.retrieval_cost, **said)
                assert decision.action == "stop"
                assert decision.p_hat == pytest.approx(row.decisions[-1].confidence)


def test_a_policy_that_decides_once_has_nothing_to_add_after_a_step(replayed: Replayed) -> None:
    policy = replayed.published("max_prob_gate", "once")
    line = replayed.lines["open-1"]
    for price in (0.02, 0.3):
        said = {**known(line), **known_after(line, ["retrieve"])}
        assert policy.decide(line["question"], price=price, **said).action == "stop"


@pytest.mark.parametrize("strategy", DECIDING)
def test_it_decides_as_the_replay_at_every_price_and_answers_nothing(
    replayed: Replayed, strategy: str
) -> None:
    policy = replayed.published(strategy)
    n_retrieved = 0
    for cell in replayed.results.row(strategy):
        for row in cell.questions:
            line = replayed.lines[row.question_id]
            decision = policy.decide(line["question"], price=cell.retrieval_cost, **known(line))
            assert decision.action == (*row.actions, "stop")[0]
            assert decision.expected_gain == pytest.approx(row.decisions[0].expected_gain)
            n_retrieved += decision.retrieve
    assert 0 < n_retrieved < 3 * len(replayed.results.cells[0].questions)
    with pytest.raises(RequestError, match=r"neither documents nor a model .* decide_only: true"):
        policy.answer("What is thing 1 by the sea?")


def test_a_strategy_that_looks_at_drafts_is_not_published(replayed: Replayed) -> None:
    with pytest.raises(ConfigError, match=r"margin_gate is not published: .* looks at draft"):
        replayed.published("margin_gate")


def test_results_that_do_not_follow_from_their_rows_are_not_published(
    replayed: Replayed,
) -> None:
    [path] = replayed.folder.glob(f"mlruns/*/{replayed.results.sweep_id}/artifacts/results.json")
    kept = path.read_text()
    content = json.loads(kept)
    content["cells"][0]["metrics"]["accuracy"] = 0.123
    path.write_text(json.dumps(content))
    try:
        with pytest.raises(
            ConfigError, match=r"replay=.* \(never c_r=0.02: accuracy is 0.123, recomputed"
        ):
            replayed.published("argo_fitted")
    finally:
        path.write_text(kept)


def test_a_calibration_that_cannot_be_fetched_is_not_left_out() -> None:
    def refuse(_: str) -> Path:
        raise TrackingError("calibration.json cannot be fetched (504)")

    source: Any = SimpleNamespace(record=SimpleNamespace(run_id="replay", artifact=refuse))
    with pytest.raises(TrackingError, match="cannot be fetched"):
        replayed_calibrations(source)


@pytest.mark.parametrize("name", ["calibration.json", "calibration_stepwise.json"])
def test_a_calibration_that_the_replay_was_not_made_with_is_not_published(
    replayed: Replayed, name: str
) -> None:
    [path] = replayed.folder.glob(f"mlruns/*/{replayed.results.sweep_id}/artifacts/{name}")
    kept = path.read_text()
    content = json.loads(kept)
    content["questions"] = content["questions"][1:]
    path.write_text(json.dumps(content))
    try:
        with pytest.raises(ConfigError, match=f"{name} is not the one that it was made with"):
            replayed.published("argo_fitted", "other")
    finally:
        path.write_text(kept)


def test_p_hat_that_was_recorded_is_not_known_of_other_questions(
    replayed: Replayed, tmp_path: Path
) -> None:
    lines = [open_line(number, confidence=0.5) for number in range(30)]
    spec = replay_spec(tmp_path, lines, policies="never,single,max_prob_gate", **replayed.places)
    results = run_replay(spec).results
    with pytest.raises(ConfigError, match=r"leave confidence out of the file"):
        Replayed(tmp_path, results, {}, replayed.places).published("max_prob_gate", "other")


def test_an_advice_on_outcomes_is_published_with_a_strategy_per_range(
    replayed: Replayed, tmp_path: Path
) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(json.dumps(choice_line(number)) for number in range(120)))
    values = {"outcomes": str(path), "policies": "never,single,benefit_gate"}

    advice = run_advice(build(AdviseSpec, {**values, "publish_as": "advised", **replayed.places}))

    policy = load_policy(advice.published, replayed.places["tracking_uri"])
    assert policy.published.decides_only
    assert {at.strategy for at in advice.prices} == set(policy.published.strategies)
    line = choice_line(1)
    for at in advice.prices:
        decision = policy.decide(line["question"], price=at.retrieval_cost, **known(line))
        assert decision.strategy == at.strategy


@pytest.mark.parametrize(("given", "share"), [("0.02", 0.008), ("0", 0.0), ("", 0.1)])
def test_a_default_price_is_in_the_unit_of_the_replay(
    replayed: Replayed, tmp_path: Path, given: str, share: float
) -> None:
    lines = map(tree_line, range(40))
    euros = {"value_of_correct": "2.5", "price_per_retrieval": "0.05,0.25", "price_unit": "EUR"}
    spec = replay_spec(tmp_path, lines, policies="never,argo_fitted", **euros, **replayed.places)
    stored = {"sweep": run_replay(spec).results.sweep_id, "strategy": "argo_fitted"}
    uri = replayed.places["tracking_uri"]
    values = {**stored, "tracking_uri": uri, "name": f"euros-{share}", "default_price": given}

    policy = load_policy(publish(build(PublishSpec, values)).uri, uri)

    assert policy.published.default_price == share


def test_requests_that_name_no_price_are_decided_at_the_one_that_the_advice_was_asked_about(
    replayed: Replayed, tmp_path: Path
) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(json.dumps(choice_line(number)) for number in range(120)))
    euros = {"value_of_correct": "2", "price_of_wrong": "0.5", "price_per_retrieval": "0.02"}
    values = {"outcomes": str(path), "policies": "never,single,benefit_gate", **euros}

    advice = run_advice(build(AdviseSpec, {**values, "publish_as": "euros", **replayed.places}))

    policy = load_policy(advice.published, replayed.places["tracking_uri"])
    assert len(advice.prices) == 6
    assert policy.published.default_price == 0.008


def test_a_default_price_in_shares_is_above_0(replayed: Replayed) -> None:
    stored = {"sweep": replayed.results.sweep_id, "tracking_uri": replayed.places["tracking_uri"]}

    with pytest.raises(ConfigError, match="default_price=0: must be greater than 0"):
        publish(build(PublishSpec, {**stored, "strategy": "argo_fitted", "default_price": "0"}))
