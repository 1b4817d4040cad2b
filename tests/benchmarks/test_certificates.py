"""A small version of the simulation of promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from builders.recorded_outcomes import open_line, write

from benchmarks.certificates import Learned, deployed_errors, read_answers, simulated


def test_promises_are_kept_with_less_slack_than_by_hoeffding() -> None:
    rows = {(row["promise"][:5], row["bound"]): row for row in simulated(60, n=200, level=0.3)}

    for promise in ("share", "error"):
        exact, by_hoeffding = rows[promise, "exact"], rows[promise, "Hoeffding"]
        assert exact["broken"] <= 0.1
        assert exact["used"] > by_hoeffding["used"]


def test_answers_to_recorded_questions_are_read_by_plan(tmp_path: Path) -> None:
    path = write(tmp_path / "outcomes.jsonl", map(open_line, range(40)))

    answers = read_answers(path, "contains")

    assert {plan: len(own.confidences) for plan, own in answers.items()} == {
        "no retrieval": 40,
        "one retrieval": 40,
    }


def test_threshold_of_either_kind_of_confidence_keeps_the_promised_errors() -> None:
    doubt, right = np.linspace(0.0, 1.0, 200), np.arange(200) < 100
    overconfident = Learned(doubt, doubt / 2, doubt, right, right)

    unseen, both = (deployed_errors(overconfident, both, 0.2) for both in (False, True))

    # p-hat of questions that were seen is 0.5 where answers begin to be wrong.
    assert unseen.rate <= 0.2 < unseen.used
    assert both.used < unseen.used
