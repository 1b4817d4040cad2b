"""Policies as they ship, by cross-validation over recorded calibration questions.

Each fold's policies are made from a calibration of the other folds alone, and decide about its
questions. A policy's gain is its utility minus that of the plan, retrieving never or once, that was
better on the questions of the set that it was made from; no test question is read. With
``--pooled`` policies are made from all files at once, on the same folds, and gains over one plan
for all sets are reported, too. Policies that read metadata then know the set:
``--parameters argo_advantage.reads_metadata=true``.

    python -m benchmarks.policy_trials nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
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
from argo_ml.policies.parameters import StrategyParameters
from argo_ml.policies.strategies import find_strategy, strategy_parameters
from argo_ml.replay.at_once import decide_questions
from argo_ml.replay.calibrating import ReplayState, VectorsByText, calibrate_on_records
from argo_ml.replay.charging import Charges
from argo_ml.replay.recorded import Reach, RecordedQuestion
from argo_ml.replay.walking import Walker
from benchmarks.recorded_sets import (
    PRICES,
    Floats,
    embedding_arguments,
    read_calibration,
    replay_states,
)
from benchmarks.reporting import report

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
OF_SET, OF_ALL = PLANS = ("plan of the set", "plan of all")
Places = NDArray[np.int64]


def embedded(questions: Sequence[RecordedQuestion], model: str) -> VectorsByText:
    texts = list(dict.fromkeys(own.question.text for own in questions))
    rows = load_embedder(model, CacheFields().cache_path).embed_queries(texts)
    return {text: tuple(map(float, row)) for text, row in zip(texts, rows, strict=True)}


@dataclass(frozen=True)
class Trial:
    """A policy and what is set of it."""

    policy: str
    parameters: StrategyParameters | None


def retrieves(
    trial: Trial,
    price: float,
    calibrations: Sequence[Calibration],
    tested: Sequence[ReplayState],
) -> Floats:
    """Whether the policy retrieves, by question; ``calibrations`` are for those that decide once,
    and step by step."""
    name = trial.policy
    decides_once = find_strategy(name).decides_once
    process = MDPSpec(price, 0.02)
    context = PolicyContext(
        solve(process),
        trial.parameters,
        max_steps=1,
        calibration=calibrations[not decides_once],
    )
    policy = make_policy(name, context)
    if decides_once:
        decided = decide_questions(policy, tested, 0, Charges(process.prices))
        plans = [own.plan for own in decided]
    else:
        plans = [own.plan for own in Walker(policy, process, 1, 0, name).walks(tested)]
    return np.array([plan == ONCE for plan in plans], dtype=float)


@dataclass(frozen=True)
class Part:
    """Questions that policies are made from together; ``sets`` are their files by number."""

    states: Sequence[ReplayState]
    sets: NDArray[np.int64]

    @cached_property
    def benefit(self) -> Floats:
        return np.array([_benefit(own.recorded) for own in self.states])

    def folds(self, seed: int) -> Iterator[tuple[Places, Places]]:
        """Places learned from and left out, each fold a fifth of every set."""
        own = [np.flatnonzero(self.sets == at) for at in np.unique(self.sets)]
        splits = [KFold(5, shuffle=True, random_state=seed).split(places) for places in own]
        for fold in zip(*splits, strict=True):
            pairs = list(zip(own, fold, strict=True))
            train, held_out = (
                np.concatenate([places[split[side]] for places, split in pairs]) for side in (0, 1)
            )
            yield train, held_out

    def plans(self, train: Places, held_out: Places, price: float) -> Mapping[str, Floats]:
        """Whether the better plan retrieves: of all questions learned from, of those of the set."""
        benefit, sets = self.benefit[train], self.sets[train]
        of_set = [float(benefit[sets == at].mean() > price) for at in self.sets[held_out]]
        of_all = np.full(len(held_out), float(benefit.mean() > price))
        return {OF_SET: np.array(of_set), OF_ALL: of_all}


def gains(
    part: Part, trials: Sequence[Trial], n_train: int, seed: int
) -> dict[tuple[str, str], Floats]:
    """By policy and the plan that it is compared with, its gain by question and price."""
    n_questions = len(part.states)
    policies = [own.policy for own in trials]
    made = {key: np.zeros((n_questions, len(PRICES))) for key in product(policies, PLANS)}
    generator = np.random.default_rng(seed)
    for others, held_out in part.folds(seed):
        train = np.sort(generator.permutation(others)[: n_train or None])
        calibrating, tested = ([part.states[at] for at in own] for own in (train, held_out))
        calibrations = [
            calibrate_on_records(calibrating, tested, {}, reach) for reach in (None, ONE_RETRIEVAL)
        ]
        for at, price in enumerate(PRICES):
            plans = part.plans(train, held_out, price)
            net = part.benefit[held_out] - price
            for trial in trials:
                acts = retrieves(trial, price, calibrations, tested)
                for plan, own in plans.items():
                    made[trial.policy, plan][held_out, at] = (acts - own) * net
    return made


def _benefit(recorded: RecordedQuestion) -> float:
    return float(recorded.outcomes[ONCE].correct) - float(recorded.outcomes["none"].correct)


def rows(name: str, made: Mapping[tuple[str, str], Floats], sets: Any) -> Iterator[dict[str, Any]]:
    for (policy, plan), own in made.items():
        by_question = own.mean(axis=1)
        by_set = [own[sets == at].mean(axis=0) for at in np.unique(sets)]
        yield {
            "set": name,
            "policy": policy,
            "over": plan,
            "gain": float(by_question.mean()),
            "its error": float(by_question.std(ddof=1) / len(own) ** 0.5),
            "by price": [round(float(value), 4) for value in own.mean(axis=0)],
            "by set": [round(float(value.mean()), 4) for value in by_set],
            "least at a price of a set": min(float(value.min()) for value in by_set),
        }


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument("--pooled", action="store_true")
    parser.add_argument("--parameters", default="", help="POLICY.NAME=VALUE, comma-separated")
    parser.add_argument("--n-train", type=int, default=0, help="questions to learn from; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    read = {path.stem: read_calibration(path, given.scorer) for path in given.outcomes}
    vectors = embedded([own for part in read.values() for own in part], given.embedding_model)
    states = {name: replay_states(part, vectors) for name, part in read.items()}
    numbered = {
        name: np.full(len(part), number) for number, (name, part) in enumerate(states.items())
    }
    every, sets = list(chain(*states.values())), np.concatenate(list(numbered.values()))
    parts = {name: Part(own, numbered[name]) for name, own in states.items()}
    if given.pooled:
        parts = {"pooled": Part(every, sets)}
    names = given.policies.split(",")
    spec = build(ReplaySpec, {"strategy_parameters": given.parameters})
    trials = [Trial(name, strategy_parameters(name, spec)) for name in names]
    made = {name: gains(part, trials, given.n_train, given.seed) for name, part in parts.items()}
    table = [row for name, own in made.items() for row in rows(name, own, parts[name].sets)]
    if not given.pooled:
        # Of one set both plans are the same, and of several there is none of all.
        keys = [(name, OF_SET) for name in names]
        table = [row for row in table if row["over"] == OF_SET]
        joined = {key: np.concatenate([own[key] for own in made.values()]) for key in keys}
        table += rows("all", joined, sets)
    report("policy_trials", table)


if __name__ == "__main__":
    main()
