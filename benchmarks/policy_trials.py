"""Policies as they ship, by cross-validation over recorded calibration questions.

Each fold's policies are made from a calibration of the other folds alone, and decide about its
questions. A policy's gain is its utility minus that of the plan, retrieving never or once, that was
better on the questions that it was made from; no test question is read. Files are pooled with
``--pooled``: then the set that a question is from is known to those policies that use it.

    python -m benchmarks.policy_trials nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from argo_ml.calibration.plans import ONCE
from argo_ml.calibration.record import Calibration
from argo_ml.config import CacheFields, ReplaySpec, build
from argo_ml.corpus.embedding import load_embedder
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import make_policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.strategies import find_strategy, strategy_parameters
from argo_ml.replay.calibrating import (
    ReplayState,
    Vectors,
    calibrate_on_records,
    make_replay_state,
)
from argo_ml.replay.deciding import decide_questions
from argo_ml.replay.reading import read_outcomes
from argo_ml.replay.recorded import Reach, RecordedQuestion
from argo_ml.replay.splitting import CALIBRATION
from argo_ml.replay.walking import Walker
from benchmarks.reporting import report

PRICES = (0.02, 0.05, 0.1, 0.2, 0.4)
ONE_RETRIEVAL = Reach(1, frozenset({ONCE}))
POLICIES = (
    "argo_calibrated",
    "argo_fitted",
    "argo_advantage",
    "argo_segment",
    "benefit_gate",
    "max_prob_gate",
    "question_only",
    "skr_knn",
)
Floats = NDArray[np.float64]


def read_calibration(path: Path, scorer: str) -> list[RecordedQuestion]:
    recorded = read_outcomes(path, "outcomes", scorer)
    return [own for own in recorded if own.split in ("", CALIBRATION)]


def embedded(questions: Sequence[RecordedQuestion], model: str) -> Vectors:
    texts = list(dict.fromkeys(own.question.text for own in questions))
    rows = load_embedder(model, CacheFields().cache_path).embed_queries(texts)
    return {text: tuple(map(float, row)) for text, row in zip(texts, rows, strict=True)}


def retrieves(
    name: str,
    price: float,
    calibrations: Sequence[Calibration],
    tested: Sequence[ReplayState],
) -> Floats:
    """Whether the policy retrieves, by question; ``calibrations`` are for those that decide once,
    and step by step."""
    decides_once = find_strategy(name).decides_once
    process = MDPSpec(price, 0.02)
    context = PolicyContext(
        solve(process),
        strategy_parameters(name, build(ReplaySpec, {})),
        max_steps=1,
        calibration=calibrations[not decides_once],
    )
    policy = make_policy(name, context)
    if decides_once:
        plans = [own.plan for own in decide_questions(policy, tested, 0, process.prices)]
    else:
        plans = [own.plan for own in Walker(policy, process, 1, 0, name).walks(tested)]
    return np.array([plan == ONCE for plan in plans], dtype=float)


def gains(
    states: Sequence[ReplayState], policies: Sequence[str], n_train: int, seed: int
) -> dict[str, Floats]:
    """By policy, its gain by question and price."""
    benefit = np.array([_benefit(own.recorded) for own in states])
    made = {name: np.zeros((len(states), len(PRICES))) for name in policies}
    generator = np.random.default_rng(seed)
    for others, held_out in KFold(5, shuffle=True, random_state=seed).split(states):
        train = np.sort(generator.permutation(others)[: n_train or None])
        calibrating, tested = [states[at] for at in train], [states[at] for at in held_out]
        calibrations = [
            calibrate_on_records(calibrating, tested, {}, reach) for reach in (None, ONE_RETRIEVAL)
        ]
        for at, price in enumerate(PRICES):
            plan = float(benefit[train].mean() > price)
            for name, own in made.items():
                acts = retrieves(name, price, calibrations, tested)
                own[held_out, at] = (acts - plan) * (benefit[held_out] - price)
    return made


def _benefit(recorded: RecordedQuestion) -> float:
    return float(recorded.outcomes[ONCE].correct) - float(recorded.outcomes["none"].correct)


def rows(name: str, made: Mapping[str, Floats]) -> Iterator[dict[str, Any]]:
    for policy, own in made.items():
        by_question = own.mean(axis=1)
        yield {
            "set": name,
            "policy": policy,
            "gain": float(by_question.mean()),
            "its error": float(by_question.std(ddof=1) / len(own) ** 0.5),
            "by price": [round(float(value), 4) for value in own.mean(axis=0)],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--embedding-model", default="all-minilm-l6-v2")
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument("--pooled", action="store_true")
    parser.add_argument("--n-train", type=int, default=0, help="questions to learn from; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sets = {path.stem: read_calibration(path, given.scorer) for path in given.outcomes}
    vectors = embedded([own for part in sets.values() for own in part], given.embedding_model)
    if given.pooled:
        sets = {"pooled": [own for part in sets.values() for own in part]}
    made = {
        name: gains(
            [make_replay_state(own, frozenset(), vectors) for own in part],
            given.policies.split(","),
            given.n_train,
            given.seed,
        )
        for name, part in sets.items()
    }
    table = [row for name, own in made.items() for row in rows(name, own)]
    if len(made) > 1:
        names = given.policies.split(",")
        every = {name: np.concatenate([own[name] for own in made.values()]) for name in names}
        table += rows("all", every)
    report("policy_trials", table)


if __name__ == "__main__":
    main()
