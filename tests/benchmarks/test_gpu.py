from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import gpu

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines() -> dict[str, dict[str, Any]]:
    """The last line of each step, of a tiny model."""
    out = io.StringIO()
    gpu.main(
        [
            "--tiny",
            "--device",
            "cpu",
            "--rows",
            "2,6",
            "--prompt-tokens",
            "40",
            "--new-tokens",
            "5",
        ],
        out,
    )
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    return {line["step"]: line for line in written}


def test_every_step_writes_a_line(lines: dict[str, dict[str, Any]]) -> None:
    assert list(lines) == [
        *("machine", "load", "generate", "transformers generate", "transformers generate_batch"),
        *("stop checks", "sampling", "known beginnings", "scoring"),
        *(f"out of memory in {phase}" for phase in ("prefill", "decoding", "scoring")),
        *("one row against many", "readings"),
    ]


def test_speeds_of_the_engine_and_of_transformers_are_measured(
    lines: dict[str, dict[str, Any]],
) -> None:
    assert lines["generate"]["prefill tokens/s"] > 0
    assert lines["generate"]["new tokens/s"] > 0
    assert lines["transformers generate"]["all new tokens/s"] > 0


@pytest.mark.parametrize("step", ["generate", "scoring"])
def test_the_plan_of_a_batch_stands_beside_its_peak(
    lines: dict[str, dict[str, Any]], step: str
) -> None:
    assert lines[step]["planned MB"] > 0
    assert "peak MB" in lines[step]


def test_what_stop_checks_cost_is_measured(lines: dict[str, dict[str, Any]]) -> None:
    assert lines["stop checks"]["against none"] > 0


@pytest.mark.parametrize("phase", ["prefill", "decoding", "scoring"])
def test_memory_that_runs_out_halves_the_batch_and_changes_nothing(
    lines: dict[str, dict[str, Any]], phase: str
) -> None:
    line = lines[f"out of memory in {phase}"]
    assert line["same share"] == 1
    [event] = line["events"]
    assert event.startswith("out of memory with a batch of ")


def test_batches_draws_and_known_beginnings_agree(lines: dict[str, dict[str, Any]]) -> None:
    assert lines["sampling"]["same again"]
    assert lines["known beginnings"]["same share"] == 1
    assert lines["one row against many"]["same share"] == 1


def test_a_batch_that_transformers_left_unfinished_has_no_speed() -> None:
    whole = SimpleNamespace(error=None, generated_tokens=[1, 2, 3])
    failed = SimpleNamespace(error="out of blocks", generated_tokens=[1])

    gpu.check_complete([whole, whole], n_rows=2, n_new=3)
    with pytest.raises(RuntimeError, match="1 of 2 rows are whole: out of blocks"):
        gpu.check_complete([whole, failed], n_rows=2, n_new=3)
    with pytest.raises(RuntimeError, match="0 of 2 rows are whole"):
        gpu.check_complete([], n_rows=2, n_new=3)
