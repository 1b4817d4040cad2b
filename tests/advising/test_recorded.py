"""An advice on recorded outcomes, without a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders.recorded_outcomes import choice_line

from argo_ml.advising.recorded import (
    advised_parts,
    judge_replay,
    recorded_parts,
    replayed_spec,
    tuning_ids,
)
from argo_ml.advising.running import run_advice
from argo_ml.advising.stored import find_advice, verify
from argo_ml.config import AdviseSpec, VerifySpec, build
from argo_ml.datasets.answers import accuracy_floors
from argo_ml.errors import ConfigError, DataError
from argo_ml.evaluation.advice import Advice
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.replay.judging import replay_results
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.replaying import replay
from argo_ml.results.artifacts import ADVISED_PARTS
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import KIND, PARENT, connect

WORTH = {"value_of_correct": "2", "price_per_retrieval": "0.1,0.4", "price_unit": "EUR"}


def written(path: Path, n: int, **used: float) -> str:
    lines = [choice_line(number) for number in range(n)]
    for line in lines:
        for outcome in line["outcomes"].values():
            outcome.update(used)
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def advised(
    folder: Path,
    tracking_uri: str,
    outcomes: str,
    on_progress: OnProgress = ignore_progress,
    **others: str,
) -> Advice:
    values = {
        "outcomes": outcomes,
        "tracking_uri": tracking_uri,
        "cache_dir": str(folder / "cache"),
        "policies": "never,single,benefit_gate,max_prob_gate,always_reason",
        **others,
    }
    return run_advice(build(AdviseSpec, values), on_progress)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_recorded_outcomes_are_advised_on(tmp_path: Path, tracking_uri: str) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 120)

    advice = advised(tmp_path, tracking_uri, outcomes)

    assert sum(advice.sizes.values()) == 120
    assert min(advice.sizes.values()) > 10
    assert [at.retrieval_cost for at in advice.prices] == [0.02, 0.05, 0.1, 0.2, 0.4]
    tracking = connect(tracking_uri, "argo_ml")
    replay = tracking.get(advice.runs["replay"])
    assert replay.data.tags[PARENT] == advice.advice_id
    assert tracking.get(advice.advice_id).data.tags[KIND] == "advice"


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_an_advice_that_goes_on_names_no_model_that_nobody_has_named(
    tmp_path: Path, tracking_uri: str
) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 120)
    uninterrupted = advised(tmp_path, tracking_uri, outcomes)

    def interrupt(*counts: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advised(tmp_path, tracking_uri, outcomes, interrupt)
    tracking = connect(tracking_uri, "argo_ml")
    [killed] = [run for run in tracking.in_status("KILLED") if run.data.tags[KIND] == "advice"]
    again = {"resume": killed.info.run_id, "tracking_uri": tracking_uri}
    advice = run_advice(build(AdviseSpec, again))

    assert advice.question == uninterrupted.question
    assert "smollm2" not in advice.question
    params = logged_params(tracking.get(killed.info.run_id))
    assert "smollm2-135m" not in params.values()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_an_advice_is_verified_whatever_becomes_of_the_file(
    tmp_path: Path, tracking_uri: str
) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 120)
    policies = "never,single,benefit_gate"
    advice = advised(tmp_path, tracking_uri, outcomes, policies=policies)
    stored = {"sweep": advice.advice_id, "tracking_uri": tracking_uri}

    written(tmp_path / "outcomes.jsonl", 110)
    assert not [own for own in verify(build(VerifySpec, stored)) if own.has_failed]
    kept_advice = find_advice(advice.advice_id, tracking_uri, "")
    assert kept_advice is not None
    again, evaluation = kept_advice.judged()
    assert again.sizes == advice.sizes
    assert evaluation.n_questions == advice.sizes["test"]

    # As an earlier version has left it.
    [kept] = tmp_path.rglob(ADVISED_PARTS)
    kept.unlink()
    [failed] = [own for own in verify(build(VerifySpec, stored)) if own.has_failed]
    assert "is another file than the advice was made of" in failed.detail
    written(tmp_path / "outcomes.jsonl", 120)
    assert not [own for own in verify(build(VerifySpec, stored)) if own.has_failed]


def test_the_floors_of_a_part_are_those_of_its_questions(tmp_path: Path) -> None:
    lines = [choice_line(number) for number in range(120)]
    for line in lines:
        # Whoever always takes the first choice is right on questions to choose on alone.
        line["split"] = "tune" if line["golden_answers"] == [0] else "test"
        line["split"] = "calibration" if int(line["id"].split("-")[1]) < 30 else line["split"]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    spec = build(AdviseSpec, {"outcomes": str(path), "policies": "never,single"})
    parts = recorded_parts(spec)
    replayed = replayed_spec(spec, parts)
    results = replay_results(replay(replayed, parts=parts), replayed, "r", ["c"] * 10)

    judged = judge_replay(advised_parts(spec, parts), results)

    tested = [own.question for own in parts.test if own.split == "test"]
    assert judged.results.floors == accuracy_floors(tested)
    assert judged.results.floors != results.floors


def test_a_question_that_stands_twice_is_chosen_on_or_confirmed_on(tmp_path: Path) -> None:
    lines = [choice_line(number) for number in range(200)]
    twice = [{**line, "id": f"again-{line['id']}"} for line in lines]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, *twice])))
    questions = read_outcomes(path, "outcomes")
    for split in ("", "tune"):
        named = [replace(own, split=split if own is questions[0] else "") for own in questions]
        chosen = tuning_ids(build(AdviseSpec, {"outcomes": str(path)}), named)
        assert {f"again-{name}" for name in chosen if not name.startswith("again-")} == {
            name for name in chosen if name.startswith("again-")
        }
        assert (len(chosen) == 2) == bool(split)


def test_a_question_that_stands_twice_calibrates_or_is_tested_on(tmp_path: Path) -> None:
    lines = [choice_line(number) for number in range(120)]
    twice = [{**line, "id": f"again-{line['id']}"} for line in lines[:40]]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, *twice])))

    parts = recorded_parts(build(AdviseSpec, {"outcomes": str(path)}))

    calibrating = {own.question.text for own in parts.calibration}
    assert len(parts.all) == 160
    assert not [own.id for own in parts.test if own.question.text in calibrating]


def test_what_lines_calibrate_and_test_on_is_left_out_as_the_error_says(tmp_path: Path) -> None:
    lines = [{**choice_line(number), "split": "calibration"} for number in range(20)]
    lines += [{**choice_line(number), "split": "test"} for number in range(20, 80)]
    lines += [{**choice_line(3), "id": "again", "split": "test"}]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    with pytest.raises(DataError, match="leave them out of the test with repeated_questions=le"):
        recorded_parts(build(AdviseSpec, {"outcomes": str(path)}))

    spec = build(AdviseSpec, {"outcomes": str(path), "repeated_questions": "leave_out"})
    assert len(recorded_parts(spec).test) == 60


def test_recorded_outcomes_are_not_stopped_at(tmp_path: Path) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 1)
    with pytest.raises(ConfigError, match=r"until=decided: recorded outcomes are all judged"):
        build(AdviseSpec, {"outcomes": outcomes, "until": "decided"})


def test_too_few_outcomes_are_refused(tmp_path: Path, tracking_uri: str) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 35)
    with pytest.raises(DataError, match=r"35 questions are too few .* 10 to choose a policy on"):
        advised(tmp_path, tracking_uri, outcomes)


def test_priced_tokens_have_to_be_recorded(tmp_path: Path, tracking_uri: str) -> None:
    outcomes = written(tmp_path / "outcomes.jsonl", 120, seconds=0.5)
    with pytest.raises(DataError, match=r"outcomes\.none\.prompt_tokens is missing, which has a"):
        advised(tmp_path, tracking_uri, outcomes, **WORTH, price_per_1m_prompt_tokens="3")


def test_a_budget_of_calls_makes_no_sense_of_outcomes(tmp_path: Path, tracking_uri: str) -> None:
    with pytest.raises(ConfigError, match="outcomes are judged without a model"):
        advised(tmp_path, tracking_uri, "o.jsonl", max_calls="3")
