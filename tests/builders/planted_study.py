"""A problem whose best settings are known: each question says what it takes to answer it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing.process import BaseProcess
from pathlib import Path

from argo_ml.config import StudySpec, build
from argo_ml.datasets.sampling import split_of
from argo_ml.study.objectives import Valuation
from builders import workers

NEEDS: dict[tuple[int, int], int] = {(0, 0): 2, (1, 0): 3, (2, 0): 3, (3, 0): 1, (0, 2): 1}
"""Readings and thoughts that a question takes, and how often in ten questions."""
MOST_READINGS, MOST_THOUGHTS = 4, 13
N_QUESTIONS = 1000


@dataclass(frozen=True)
class Problem:
    """Parameters of a study in a store and a cache of its own."""

    values: dict[str, str]

    def spec(self, **changes: object) -> StudySpec:
        return build(StudySpec, {**self.values, **changes})

    def start(self, **changes: object) -> BaseProcess:
        """A worker of the study as a process."""
        return workers.start_study({**self.values, **changes})

    def start_killed_at(self, function: str, n_calls: int, **changes: object) -> BaseProcess:
        """A worker that kills itself in the place of that call of a function."""
        return workers.start_study({**self.values, **changes}, function, n_calls)


def write(folder: Path) -> dict[str, str]:
    """Write the sources into ``folder``; returns the parameters of a study over them."""
    documents = folder / "documents"
    documents.mkdir()
    for part in ("first", "second", "third", "fourth", "fifth"):
        text = f"The {part} record of the items and of the readings that each item takes."
        (documents / f"{part}.txt").write_text(text)
    lines = []
    for index, needs in enumerate(drawn_needs()):
        question = {
            "id": f"item-{index}",
            "question": text_of(index, needs),
            "choices": ["right", "wrong"],
            "golden_answers": [0],
        }
        lines.append(json.dumps(question))
    (folder / "questions.jsonl").write_text("\n".join(lines))
    (folder / "script.json").write_text(json.dumps({"rules": rules()}))
    return {
        "dataset": "jsonl",
        "questions": str(folder / "questions.jsonl"),
        "documents": str(documents),
        "model": f"scripted:{folder / 'script.json'}",
        "n_questions": "40",
        "shard_size": "20",
        "max_new_tokens": "4",
    }


def drawn_needs() -> list[tuple[int, int]]:
    rng = random.Random(1)
    pool = [needs for needs, count in NEEDS.items() for _ in range(count)]
    return [rng.choice(pool) for _ in range(N_QUESTIONS)]


def text_of(index: int, needs: tuple[int, int]) -> str:
    return f"Item {index} takes {needs[0]} readings and {needs[1]} thoughts: which record is it?"


def rules() -> list[dict[str, str]]:
    """Correct where the history holds enough readings and thoughts, wrong elsewhere."""
    answers = [
        {
            "regex": rf"(?s)^(?=(?:.*READ){{{n_read}}})(?=(?:.*THOUGHT){{{n_think}}})"
            rf".*takes {n_read} readings and {n_think} thoughts.*Answer:",
            "choice": "right",
        }
        for n_read, n_think in NEEDS
    ]
    return [
        *answers,
        {"contains": "Answer:", "choice": "wrong"},
        {"contains": "Use only the passages", "completion": "READ"},
        {"contains": "from what you know", "completion": "THOUGHT"},
        {"contains": "What should be asked next?", "completion": "And what else is recorded?"},
    ]


def best_utility(needs: Sequence[tuple[int, int]], valuation: Valuation) -> float:
    """By trying every number of readings, and of thoughts after them, that two thresholds give."""
    prices = valuation.prices
    return max(
        sum(n_read >= read and n_think >= think for read, think in needs) / len(needs)
        - valuation.mu * (prices.retrieve * n_read + prices.reason * n_think)
        for n_read, n_think in product(range(MOST_READINGS + 1), range(MOST_THOUGHTS + 1))
    )


def ids_of(split: str) -> list[str]:
    return [f"item-{i}" for i in range(N_QUESTIONS) if split_of(f"item-{i}") == split]
