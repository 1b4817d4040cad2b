"""Evaluations of sweeps that were never run: one with everything, one with next to nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence

from argo_ml.config import SweepSpec
from argo_ml.evaluation.record import (
    BreakEven,
    ByDifficulty,
    Confidence,
    Contrast,
    Effects,
    Evaluation,
    GainBin,
    GateFrontiers,
    Headline,
    Point,
    PriceRange,
    ReliabilityPoint,
    StrategyRow,
)
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate
from builders import result_builders

N = 300
FLOORS = {"majority_position": 0.31, "longest_choice": 0.352, "random": 0.25}
PRICES = (0.02, 0.05, 0.1, 0.15, 0.2)
FIXED = ("always_retrieve", "always_reason", "random", "fixed_threshold", "never", "single")
ADAPTIVE = ("argo", "argo_optimal", "argo_calibrated", "argo_fitted")
GATES = (
    "max_prob_gate",
    "entropy_gate",
    "margin_gate",
    "variance_gate",
    "benefit_gate",
    "graded_gate",
    "vote_gate",
    "cascade_gate",
)
STRATEGIES = (*ADAPTIVE, *FIXED, *GATES, "oracle")
_RETRIEVALS = {"always_retrieve": 3.0, "random": 1.4, "fixed_threshold": 2.0, "single": 1.0}


def estimate(mean: float, width: float = 0.05) -> Estimate:
    return Estimate(mean=mean, low=mean - width, high=mean + width)


def strategy_row(strategy: str, price: float, rng: random.Random) -> StrategyRow:
    """Accuracy grows with retrievals, which those that are not fixed save as the price grows."""
    is_gate, is_ceiling = strategy in GATES, strategy == "oracle"
    rc = _RETRIEVALS.get(strategy, 0.0)
    if strategy not in FIXED:
        rc = (0.9 if is_gate or is_ceiling else 2.5) * (1 - 3.5 * price) * rng.uniform(0.8, 1.1)
    accuracy = 0.86 if is_ceiling else 0.46 + 0.24 * (1 - 0.45**rc) + rng.uniform(-0.02, 0.03)
    reason = 0.0 if strategy in ("never", "single") or is_gate else rng.uniform(0, 2)
    cost = rc * price + reason * 0.02
    return StrategyRow(
        strategy=strategy,
        retrieval_cost=price,
        is_fixed=strategy in FIXED,
        is_ceiling=is_ceiling,
        n=N,
        accuracy=estimate(accuracy, 0.055),
        utility=estimate(accuracy - cost),
        cost=cost,
        rc=rc,
        reason_calls=reason,
        lmc=2 + rc + reason,
        probe_calls=1.0 if strategy not in FIXED else 0.0,
        sample_calls=3.0 if strategy == "variance_gate" else 0.0,
        tokens=420 + 300 * rc,
        unparsed=0.01,
        abstained=0.0,
        fire_share=(0.995 if strategy == "vote_gate" else rc) if is_gate else None,
        is_degenerate=strategy == "vote_gate",
        regret=None if is_ceiling else estimate(0.86 - accuracy + cost),
        confidence=None if strategy == "random" else confidence(rng),
    )


def confidence(rng: random.Random) -> Confidence:
    auc = rng.uniform(0.6, 0.75)
    return Confidence(roc_auc=auc, brier=0.21, ece=0.04, aurc=0.2, prr=2 * auc - 1, n=N)


def frontiers(gate: str, rng: random.Random) -> GateFrontiers:
    """Concave from 0.48 without to 0.61 with retrieval, higher between where the gate is good."""
    worth = rng.uniform(0, 0.2)
    budgets = [step / 10 for step in range(11)]
    exact = [
        Point(budget=b, retrieval_share=b, accuracy=0.48 + 0.13 * b + worth * b * (1 - b))
        for b in budgets
    ]
    deployed = [
        Point(
            budget=point.budget,
            retrieval_share=min(1.0, point.budget * 1.06),
            accuracy=point.accuracy - 0.008,
        )
        for point in exact[1:]
    ]
    return GateFrontiers(
        gate=gate,
        exact=tuple(exact),
        deployable=tuple(deployed),
        conservative=tuple(deployed[:-2]),
        deployable_exceedance=0.48,
        conservative_exceedance=0.03,
        retrieval_reduction=None if worth < 0.02 else worth * 2,
    )


def contrast(row: StrategyRow, baseline: StrategyRow, rng: random.Random) -> Contrast:
    p_value = rng.choice((0.0002, 0.004, 0.2, 0.7))
    is_matched = row.accuracy.mean > 0.6
    return Contrast(
        strategy=row.strategy,
        retrieval_cost=row.retrieval_cost,
        baseline=baseline.strategy,
        utility=estimate(row.utility.mean - baseline.utility.mean, 0.04),
        p_utility=p_value,
        holm_utility=min(1.0, p_value * 20),
        p_accuracy=p_value,
        holm_accuracy=min(1.0, p_value * 20),
        is_identical=False,
        accuracy_against_always_retrieve=estimate(row.accuracy.mean - 0.67),
        retrieval_reduction=1 - row.rc / 3,
        is_accuracy_matched=is_matched,
    )


def contrasts(rows: Sequence[StrategyRow], rng: random.Random) -> tuple[Contrast, ...]:
    best = {
        price: max(
            (row for row in rows if row.is_fixed and row.retrieval_cost == price),
            key=lambda row: row.utility.mean,
        )
        for price in PRICES
    }
    return tuple(
        contrast(row, best[row.retrieval_cost], rng)
        for row in rows
        if not row.is_fixed and not row.is_ceiling
    )


def mean_utilities(rows: Sequence[StrategyRow]) -> dict[str, float]:
    return {
        strategy: sum(row.utility.mean for row in rows if row.strategy == strategy) / len(PRICES)
        for strategy in STRATEGIES
    }


def gain_bin(strategy: str, index: int, rng: random.Random) -> GainBin:
    expected = -0.1 + 0.06 * index
    realised = estimate(0.7 * expected + rng.uniform(-0.04, 0.04), 0.07)
    return GainBin(strategy=strategy, expected=expected, realised=realised, n=60, n_questions=210)


def difficulty(row: StrategyRow, name: str, step: float) -> ByDifficulty:
    return ByDifficulty(
        strategy=row.strategy,
        retrieval_cost=row.retrieval_cost,
        difficulty=name,
        n=N // 3,
        accuracy=row.accuracy.mean - step * 0.1,
        retrieve=row.rc * (1 + 0.2 * step),
        reason=row.reason_calls,
    )


def reliability_point(index: int, rng: random.Random) -> ReliabilityPoint:
    confidence = 0.28 + 0.075 * index
    share = confidence - 0.05 + rng.uniform(-0.05, 0.05)
    return ReliabilityPoint(
        confidence=confidence, accuracy=share, low=share - 0.07, high=share + 0.07, n=30
    )


def full() -> Evaluation:
    """19 strategies at 5 prices, with everything that an evaluation can have."""
    rng = random.Random(7)
    rows = [strategy_row(strategy, price, rng) for strategy in STRATEGIES for price in PRICES]
    return Evaluation(
        sweep_id="0123456789abcdef0123456789abcdef",
        question=(
            "When does it pay to retrieve, on 300 hard oran_bench questions with qwen2.5-3b?"
        ),
        answer=(
            "Break-even price of retrieving once (single) instead of not at all (never): 0.130 "
            "[0.060, 0.200] per retrieval, so that it pays below it and not above. Accuracy 0.610 "
            "against 0.480: 19.0 % of the answers corrected, 6.0 % spoiled.\n"
            "Use single (one retrieval) below 0.130, never (no retrieval) above: the fixed "
            "strategies of highest mean utility (0.02 to 0.2 swept).\n"
            "Whether deciding by the question pays is not settled: the utility of "
            "argo_calibrated (on these questions better than "
            "argo_fitted, and therefore chosen) minus that of the best fixed strategy is +0.012 on "
            "average over 5 prices, 95 % interval -0.008 to +0.031; the interval at a single price "
            "lies above 0 at 1 and below 0 at 0 of them."
        ),
        n_questions=N,
        floors=FLOORS,
        prices=PRICES,
        rows=tuple(rows),
        contrasts=contrasts(rows, rng),
        mean_utilities=mean_utilities(rows),
        break_evens=(
            BreakEven(
                more="single",
                fewer="never",
                price=Estimate(mean=0.13, low=0.06, high=0.2),
                accuracy_more=0.61,
                accuracy_fewer=0.48,
                retrievals_more=1.0,
                corrected=0.19,
                spoiled=0.06,
            ),
        ),
        price_ranges=(
            PriceRange(strategy="single", low=0.02, high=0.13),
            PriceRange(strategy="never", low=0.13, high=0.2),
        ),
        limits=("What 300 questions can tell: differences of accuracy from about 0.08 on.",),
        effects=Effects(benefit=0.19, harm=0.06, neutral=0.75),
        frontiers=tuple(frontiers(gate, rng) for gate in GATES),
        gains=tuple(
            gain_bin(strategy, index, rng)
            for strategy in ("argo_calibrated", "argo_fitted")
            for index in range(7)
        ),
        by_difficulty=tuple(
            difficulty(row, name, step)
            for row in rows
            for step, name in enumerate(("easy", "medium", "hard"))
        ),
        reliability={
            strategy: tuple(reliability_point(index, rng) for index in range(9))
            for strategy in ("never", "single", *ADAPTIVE, *GATES)
        },
        caveats=(
            "Choices are scored by likelihood, which favours short ones.",
            "vote_gate retrieves for 99.5 % of the questions: it is Always-Retrieve once.",
        ),
        calibration_run="fedcba9876543210fedcba9876543210",
        calibration={"brier": 0.214, "brier_constant": 0.249, "ece": 0.031},
        headline=Headline(
            strategy="argo_calibrated",
            candidates=("argo_calibrated", "argo_fitted"),
            gain=Estimate(mean=0.012, low=-0.008, high=0.031),
            n_prices=5,
            n_above=1,
            n_below=0,
            is_identical=False,
        ),
    )


def minimal() -> Evaluation:
    """One strategy at one price, of which nothing else is known."""
    row = strategy_row("never", 0.05, random.Random(1))
    return Evaluation(
        sweep_id="0123456789abcdef0123456789abcdef",
        question="What is never worth?",
        answer="never is worth 0.480 [0.430, 0.530].",
        n_questions=N,
        floors={"majority_position": 0.0, "longest_choice": 0.0, "random": 0.0},
        prices=(0.05,),
        rows=(row.model_copy(update={"confidence": None, "regret": None}),),
        contrasts=(),
        mean_utilities={"never": row.utility.mean},
    )


def results() -> Results:
    """Of a sweep whose spec the report can show; its cells are of other strategies."""
    return result_builders.results(SweepSpec(n_questions=3, n_prices=1, strategies="random"))
