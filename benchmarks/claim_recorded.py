"""The claim of docs/protocol.md on recorded sets: calibrated on one part, judged once on the other.

Each file holds lines of both splits, converted as docs/replay.md shows.

    python -m benchmarks.claim_recorded nq.jsonl squad.jsonl trivia.jsonl musique.jsonl \
        --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from argo_ml.config import ReplaySpec, build
from argo_ml.config.advising import ADAPTIVE
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.replaying import Replay, replay
from argo_ml.results.question_rows import row_numbers
from benchmarks.claim_verdict import Judged, mean_gain, price_rows
from benchmarks.reporting import report

PRICES = "0.02,0.05,0.1,0.2,0.4"
FIXED = ("never", "single")
PUBLISHED = ("question_only", "max_prob_gate", "skr_knn", "stop_rag", "value_of_information")
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


def judged(replays: Mapping[str, Replay], policy: str) -> list[Judged]:
    """By price the utilities of all sets; each has the better plan of its own."""
    cells = [
        {(cell.strategy, cell.retrieval_cost): utility(cell) for cell in own.cells}
        for own in replays.values()
    ]
    prices = sorted({price for _, price in cells[0]})
    return [
        Judged(
            price,
            np.concatenate([own[policy, price] for own in cells]),
            {"better of both": np.concatenate([_better(own, price) for own in cells])},
        )
        for price in prices
    ]


def _better(cells: Mapping[tuple[str, float], Any], price: float) -> Any:
    return max((cells[name, price] for name in FIXED), key=lambda own: float(own.mean()))


def rows(replays: Mapping[str, Replay], policies: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every policy on every set and on all of them."""
    every = {name: {name: own} for name, own in replays.items()}
    for policy in policies:
        for name, sets in {**every, "all": replays}.items():
            by_price = judged(sets, policy)
            gain, least = mean_gain(by_price), min(row["gain"] for row in price_rows(by_price))
            yield {
                "policy": policy,
                "set": name,
                **gain,
                "least at a price": least,
                "not below": gain["mean"] >= LEAST_MEAN and least >= LEAST_AT_A_PRICE,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    given = parser.parse_args()
    claimed = list(ADAPTIVE)
    policies = [*claimed, *PUBLISHED]
    replays = {path.stem: replayed(path, given.scorer, policies) for path in given.outcomes}
    table = list(rows(replays, policies))
    shown = {
        row["policy"]: {"pooled gain above 0": row["low"] > 0, "not below": row["not below"]}
        for row in table
        if row["set"] == "all" and row["policy"] in claimed
    }
    report("claim_recorded", table, shown=shown)


if __name__ == "__main__":
    main()
