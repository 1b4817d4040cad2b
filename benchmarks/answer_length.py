"""What longer sub-answers cost and gain: the same questions at several values of max_new_tokens.

Questions are of the tune or the calibration split, never of the test split. The share that is cut
is of sub-answers whose last character ends no sentence.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.engine.stages import StageTimes
from argo_ml.models.cache.caching import CallCache
from argo_ml.results.trajectories import question_result
from argo_ml.state import Outcome
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.shards import ShardEpisodes
from benchmarks.reporting import report

SENTENCE_ENDS = (".", "!", "?", '"', ")")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=60)
    parser.add_argument("--max-steps", type=int, default=4)
    parser.add_argument("--strategies", default="single,always_retrieve,always_reason")
    parser.add_argument("--difficulty", default="all")
    parser.add_argument("--split", default="tune", choices=("tune", "calibration"))
    parser.add_argument("--lengths", default="24,32,48")
    parser.add_argument("--cache-dir", default="~/.cache/argo_ml")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for length in map(int, given.lengths.split(",")):
        rows += measure(given, length)
        report("answer_length", relative(rows), **vars(given))


def measure(given: argparse.Namespace, length: int) -> list[dict[str, Any]]:
    values = {
        "n_questions": given.n_questions,
        "max_steps": given.max_steps,
        "difficulty": given.difficulty,
        "split": given.split,
        "max_new_tokens": length,
        "strategies": given.strategies,
        "retrieval_costs": "0.11",
        "cache_dir": given.cache_dir,
    }
    spec = build(SweepSpec, values)
    context = LocalContext.open(spec)
    cells = prepare_cells(context.spec.cells(), context)
    questions = context.questions.questions
    with tempfile.TemporaryDirectory() as folder:
        engine = fresh_context(context, Path(folder)).engine("answer_length", StageTimes())
        shard = ShardEpisodes(questions, cells)
        done = iter(shard.in_order(engine.run(shard.episodes)))
    rows = []
    for cell in cells:
        finished = [next(done) for _ in questions]
        results = [question_result(*pair) for pair in zip(questions, finished, strict=True)]
        rows.append(
            {
                "strategy": cell.spec.strategy,
                "max_new_tokens": length,
                "accuracy": fmean(result.correct for result in results),
                "cut": share_cut([done.outcome for done in finished]),
                "prompt_tokens": fmean(result.prompt_tokens for result in results),
                "completion_tokens": fmean(result.completion_tokens for result in results),
                "lm_seconds": fmean(result.lm_seconds for result in results),
                "correct": [result.correct for result in results],
            }
        )
    return rows


def fresh_context(context: LocalContext[SweepSpec], folder: Path) -> LocalContext[SweepSpec]:
    """The same with an empty cache of calls, so that every call is timed here."""
    return replace(context, cache=CallCache(folder / "calls.sqlite"))


def share_cut(outcomes: Sequence[Outcome]) -> float:
    texts = [
        step.sub_answer.strip() for outcome in outcomes for step in outcome.steps if step.sub_answer
    ]
    return fmean(not text.endswith(SENTENCE_ENDS) for text in texts)


def relative(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Seconds as a multiple of the shortest answers', and the paired difference of accuracy."""
    first = {row["strategy"]: row for row in reversed(rows)}
    return [
        {
            **{name: value for name, value in row.items() if name not in ("lm_seconds", "correct")},
            "seconds": row["lm_seconds"] / first[row["strategy"]]["lm_seconds"],
            "gain": row["accuracy"] - first[row["strategy"]]["accuracy"],
            "gain_se": standard_error(row["correct"], first[row["strategy"]]["correct"]),
        }
        for row in rows
    ]


def standard_error(own: Sequence[bool], other: Sequence[bool]) -> float:
    differences = [int(a) - int(b) for a, b in zip(own, other, strict=True)]
    mean = fmean(differences)
    variance = fmean((value - mean) ** 2 for value in differences)
    return math.sqrt(variance / len(differences))


if __name__ == "__main__":
    main()
