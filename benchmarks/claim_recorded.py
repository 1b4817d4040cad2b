"""The claim of docs/protocol.md on recorded sets: calibrated on one part, judged once on the other.

Each file holds lines of both splits, converted as docs/replay.md shows.

    python -m benchmarks.claim_recorded nq.jsonl squad.jsonl trivia.jsonl musique.jsonl \
        --scorer contains
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.config import ReplaySpec, build
from argo_ml.config.advising import ADAPTIVE
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.replaying import Replay, replay
from argo_ml.results.question_rows import row_numbers
from benchmarks.claim_verdict import Judged, mean_gain
from benchmarks.recorded_sets import arguments
from benchmarks.reporting import report

PRICES = "0.02,0.05,0.1,0.2,0.4"
FIXED = ("never", "single")
PUBLISHED = (
    "question_only",
    "max_prob_gate",
    "skr_knn",
    "stop_rag",
    "value_of_information",
    "adaptive_rag",
)
"""Not of the claim; reported beside it."""
LEAST_MEAN = -0.001
LEAST_AT_A_PRICE = -0.005


def replayed(path: Path, scorer: str, policies: Sequence[str]) -> Replay:
    values = {
        "outcomes": str(path),
        "scorer": scorer,
        "retrieval_costs": PRICES,
        "policies": ",".join((*FIXED, *policies)),
        "repeated_questions": "leave_out",
    }
    return replay(build(ReplaySpec, values))


def utility(cell: DecidedCell) -> Any:
    return row_numbers(cell.rows, "correct") - row_numbers(cell.rows, "cost")


@dataclass(frozen=True)
class Played:
    """One set: utilities by policy and price, and by price the plan that was better on the
    questions of its calibration."""

    utilities: Mapping[tuple[str, float], Any]
    plans: Mapping[float, str]

    @classmethod
    def of(cls, own: Replay) -> Played:
        outcomes = [state.recorded.outcomes for state in own.calibrating]
        benefit = fmean(each[ONCE].correct - each[NONE].correct for each in outcomes)
        prices = sorted({cell.retrieval_cost for cell in own.cells})
        return cls(
            {(cell.strategy, cell.retrieval_cost): utility(cell) for cell in own.cells},
            {price: FIXED[benefit > price] for price in prices},
        )

    def better_on_test(self, price: float) -> str:
        return max(FIXED, key=lambda name: float(self.utilities[name, price].mean()))


def judged(sets: Sequence[Played], policy: str, on_test: bool = False) -> list[Judged]:
    """By price the utilities of all sets, each against a plan of its own: the better one of its
    calibration, or with ``on_test`` of the very questions that are tested on."""

    def plan(own: Played, price: float) -> str:
        return own.better_on_test(price) if on_test else own.plans[price]

    return [
        Judged(
            price,
            np.concatenate([own.utilities[policy, price] for own in sets]),
            {"plan": np.concatenate([own.utilities[plan(own, price), price] for own in sets])},
        )
        for price in sets[0].plans
    ]


def plans_judged(sets: Sequence[Played]) -> list[Judged]:
    """By price the plans of the calibrations, against those that turn out better."""

    def pooled(price: float, on_test: bool) -> Any:
        named = [own.better_on_test(price) if on_test else own.plans[price] for own in sets]
        pairs = zip(sets, named, strict=True)
        return np.concatenate([own.utilities[name, price] for own, name in pairs])

    prices = sets[0].plans
    return [Judged(price, pooled(price, False), {"plan": pooled(price, True)}) for price in prices]


def least_margin(sets: Sequence[Played], policy: str) -> float:
    """The lowest of all prices' pooled utility minus that of never or once, one for all sets."""

    def pooled(name: str, price: float) -> float:
        return float(np.concatenate([own.utilities[name, price] for own in sets]).mean())

    return min(
        pooled(policy, price) - max(pooled(name, price) for name in FIXED)
        for price in sets[0].plans
    )


def rows(played: Mapping[str, Played], policies: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every policy on every set and on all of them."""
    groups = {**{name: [own] for name, own in played.items()}, "all": [*played.values()]}
    for policy in policies:
        for name, sets in groups.items():
            gain, least = mean_gain(judged(sets, policy)), least_margin(sets, policy)
            on_test = mean_gain(judged(sets, policy, on_test=True))
            yield {
                "policy": policy,
                "set": name,
                **gain,
                **{f"{own}, test's plan": value for own, value in on_test.items()},
                "least at a price": least,
                "not below": gain["mean"] >= LEAST_MEAN and least >= LEAST_AT_A_PRICE,
            }


def rows_by_price(
    played: Mapping[str, Played], policies: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Every set at every price: which plans its two parts favour, and what policies gain over
    either."""
    for name, own in played.items():
        for price, plan in own.plans.items():
            better = own.better_on_test(price)
            means = {key: float(own.utilities[key, price].mean()) for key in (*FIXED, *policies)}
            yield {
                "set": name,
                "price": price,
                "plan of the calibration": plan,
                "of the test": better,
                "single - never on the test": means["single"] - means["never"],
                "lost by the plan": means[plan] - means[better],
                **{f"{key}, over the first": means[key] - means[plan] for key in policies},
                **{f"{key}, over the second": means[key] - means[better] for key in policies},
            }


def main() -> None:
    parser = arguments(__doc__)
    given = parser.parse_args()
    claimed = list(ADAPTIVE)
    policies = [*claimed, *PUBLISHED]
    played = {
        path.stem: Played.of(replayed(path, given.scorer, policies)) for path in given.outcomes
    }
    table = list(rows(played, policies))
    shown = {
        row["policy"]: {"pooled gain above 0": row["low"] > 0, "not below": row["not below"]}
        for row in table
        if row["set"] == "all" and row["policy"] in claimed
    }
    report("claim_recorded_by_price", list(rows_by_price(played, claimed)))
    plans = mean_gain(plans_judged(list(played.values())))
    report("claim_recorded", table, shown=shown, plans_of_the_calibration_over_the_tests=plans)


if __name__ == "__main__":
    main()
