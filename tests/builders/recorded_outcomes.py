"""Files of outcomes that no model has made: who knows what, and how well it shows, is drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from argo_ml.config import ReplaySpec, build
from argo_ml.randomness import derived_rng

CHOICES = ["alpha", "beta", "gamma", "delta"]


def open_line(number: int, **none: object) -> dict[str, Any]:
    """A question without choices, everything recorded; ``none`` changes its closed-book answer."""
    draws = derived_rng(7, number, "open")
    ease = draws.gauss(0.3, 1.0)
    knows = draws.random() < 1 / (1 + math.exp(-1.5 * ease))
    reads = {plan: draws.random() < share for plan, share in SHARES.items()}
    doubt = math.exp(-ease) * draws.uniform(0.5, 1.5)
    closed_book = {
        "answer": f"It is right-{number}." if knows else "I guess otherwise.",
        "logprob": -doubt,
        "entropy": 1.3 * doubt,
        "margin": math.exp(-doubt),
        "samples": [f"guess {draws.randrange(1 + int(3 * doubt))}" for _ in range(3)],
        **none,
    }
    return {
        "id": f"open-{number}",
        "question": f"{draws.choice(ASKED)} is thing {number} {draws.choice(PLACES)}?",
        "golden_answers": [f"right-{number}"],
        "outcomes": {
            "none": closed_book,
            **{
                plan: {"answer": f"right-{number}" if right else "nothing"}
                for plan, right in reads.items()
            },
        },
    }


def choice_line(number: int, **none: object) -> dict[str, Any]:
    """A question with choices, whose probabilities are recorded."""
    draws = derived_rng(7, number, "choices")
    gold = draws.randrange(len(CHOICES))
    scores = [draws.gauss(0, 1) + draws.gauss(0.8, 1.0) * (at == gold) for at in range(4)]
    weights = [math.exp(score) for score in scores]
    probabilities = [weight / sum(weights) for weight in weights]
    answer = probabilities.index(max(probabilities))
    read = gold if draws.random() < SHARES["retrieve"] else (gold + 1) % len(CHOICES)
    return {
        "id": f"choice-{number}",
        "question": f"{draws.choice(ASKED)} of the four is number {number} {draws.choice(PLACES)}?",
        "choices": CHOICES,
        "golden_answers": [gold],
        "outcomes": {
            "none": {"answer": answer, "probabilities": probabilities, **none},
            "retrieve": {"answer": CHOICES[read]},
        },
    }


SHARES: Mapping[str, float] = {"retrieve": 0.75, "retrieve_1": 0.65, "retrieve_5": 0.8}
"""Of questions that are right after a retrieval."""
ASKED = ("Who", "What", "When", "Where", "Which")
PLACES = ("in the north", "by the sea", "after the war", "of the old town")


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def replay_spec(
    folder: Path,
    lines: Iterable[Mapping[str, Any]],
    calibrating: Iterable[Mapping[str, Any]] | None = None,
    **values: object,
) -> ReplaySpec:
    """A replay of the lines, calibrated on others where they are given; its files lie in folder."""
    given = {"outcomes": write(folder / "outcomes.jsonl", lines)}
    if calibrating is not None:
        given["calibration_outcomes"] = write(folder / "calibration.jsonl", calibrating)
    paths = {name: str(path) for name, path in given.items()}
    return build(ReplaySpec, {**paths, "cache_dir": str(folder / "cache"), **values})


def tree_line(number: int, depth: int = 2, **none: object) -> dict[str, Any]:
    """An open question with every sequence of at most ``depth`` actions recorded."""
    draws = derived_rng(8, number, "tree")
    line = open_line(number, **none)
    for length in range(1, depth + 1):
        for actions in product(("retrieve", "reason"), repeat=length):
            share = 0.3 + 0.2 * length + 0.2 * (actions[-1] == "retrieve")
            line["outcomes"][">".join(actions)] = {
                "answer": f"right-{number}" if draws.random() < share else "nothing",
                "logprob": -draws.random(),
                "entropy": draws.random(),
                "margin": draws.random(),
                "seconds": 0.5 * length,
            }
    retrievals = line["outcomes"]["retrieve>retrieve"] if depth > 1 else {"answer": "nothing"}
    line["outcomes"]["multi"] = {**retrievals, "actions": ["retrieve"] * max(depth, 2)}
    return line
