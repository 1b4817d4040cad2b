from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.recorded_outcomes import open_line, write

from argo_ml.replay.calibrating import calibrate_on_records
from benchmarks.policy_trials import ONE_RETRIEVAL, Trial, retrieves
from benchmarks.recorded_sets import half_over_random, read_calibration, replay_states


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "outcomes.jsonl", map(open_line, range(40)))


def test_policies_that_decide_once_and_step_by_step_are_judged_on_recorded_lines(
    path: Path,
) -> None:
    states = replay_states(read_calibration(path, "contains"), {})
    calibrating, tested = states[:20], states[20:]
    learned = calibrate_on_records(calibrating, tested, {}, ONE_RETRIEVAL)

    made = [
        retrieves(Trial(name, None), 0.1, (learned, learned), tested)
        for name in ("never", "single", "max_prob_gate", "argo_calibrated")
    ]

    assert [set(own) for own in made[:2]] == [{0.0}, {1.0}]
    assert {len(own) for own in made} == {20}


def test_states_of_a_file_show_what_all_of_its_lines_have(path: Path) -> None:
    lines = read_calibration(path, "contains")

    assert replay_states(lines, {})[0].common.means == {"logprob", "entropy", "margin"}


def test_half_of_the_highest_scores_is_compared_with_a_half_at_random() -> None:
    benefit = np.array([1.0, 0.0, -1.0, 0.0])

    gained = half_over_random(np.array([0.9, 0.8, 0.1, 0.2]), benefit)

    assert gained.tolist() == [0.5, 0.0, 0.5, 0.0]
