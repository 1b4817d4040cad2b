"""Certificates of thresholds: how often they are broken, and how much slack they leave.

Samples of a made-up world whose true rates are known choose a threshold, by the exact test and by
Hoeffding's bound. With files of recorded outcomes their calibration questions are split into halves
instead, at random again and again: one chooses the threshold, the other judges it. No test question
is read. With --deployed scores and p-hat come of models that are fitted on the sample as gates fit
them, and the share of retrievals, or of errors among answers, is that of the model that decides, on
4,000 other questions. Every sample is drawn by its number, so that they can be judged in parts.

    python -m benchmarks.certificates
    python -m benchmarks.certificates --deployed --splits 200
    python -m benchmarks.certificates --deployed --splits 200 --first 200
    python -m benchmarks.certificates nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.fitting import fit_probability
from argo_ml.calibration.plans import ONCE
from argo_ml.policies.gates.benefit_gate import expected_utility
from argo_ml.policies.gates.learned import cross_fit
from argo_ml.replay.calibrating import calibrate_on_records
from argo_ml.replay.recorded import Reach
from argo_ml.statistics.certificates import (
    GRID,
    Unmet,
    answering_threshold,
    binomial_p_value,
    last_passing,
    retrieval_threshold,
)
from argo_ml.statistics.frontiers import conservative_budget, threshold_for_budget
from benchmarks.recorded_sets import read_calibration, replay_states
from benchmarks.reporting import report

DELTA = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Certified:
    """What a promise came to on one split: the true rate, and the share that is used of it."""

    rate: float
    used: float


def promised_retrievals(
    generator: np.random.Generator, n: int, level: float, is_exact: bool
) -> Certified:
    """Scores are uniform, so that the true share of retrievals at a threshold is 1 minus it."""
    scores = generator.random(n).tolist()
    if is_exact:
        threshold = retrieval_threshold(scores, level, DELTA)
    else:
        threshold = threshold_for_budget(scores, conservative_budget(level, n, DELTA))
    share = float(np.clip(1.0 - threshold, 0.0, 1.0)) if math.isfinite(threshold) else 0.0
    return Certified(share, share)


def promised_errors(
    generator: np.random.Generator, n: int, level: float, is_exact: bool
) -> Certified:
    """A perfect confidence, uniform between 0.3 and 1: from c on (1 - c) / 2 are wrong."""
    confidences = generator.uniform(0.3, 1.0, n)
    correct = generator.random(n) < confidences
    if is_exact:
        own = answering_threshold(confidences.tolist(), correct.tolist(), level, DELTA)
        threshold = math.inf if isinstance(own, Unmet) else own
    else:
        threshold = _by_hoeffding(confidences, correct, level)
    if not math.isfinite(threshold):
        return Certified(0.0, 0.0)
    least = max(threshold, 0.3)
    return Certified((1.0 - least) / 2, (1.0 - least) / 0.7)


def _by_hoeffding(confidences: Floats, correct: NDArray[np.bool_], level: float) -> float:
    """The same sequence with Hoeffding's bound on the error among answered."""
    is_given = confidences >= GRID[:, None]
    n_given, n_wrong = is_given.sum(axis=1), (is_given & ~correct).sum(axis=1)
    tried = np.flatnonzero(n_given >= math.log(1 / DELTA) / (2 * level**2))
    margins = np.sqrt(math.log(1 / DELTA) / (2 * n_given[tried]))
    fails = n_wrong[tried] / n_given[tried] + margins > level
    n_passing = int(fails.argmax()) if fails.any() else len(tried)
    return float(GRID[tried[n_passing - 1]]) if n_passing else math.inf


PROMISES: Mapping[str, Callable[[np.random.Generator, int, float, bool], Certified]] = {
    "share of retrievals": promised_retrievals,
    "error among answered": promised_errors,
}


def simulated(n_splits: int, n: int, level: float) -> Iterator[dict[str, Any]]:
    for promise, certify in PROMISES.items():
        for bound in ("exact", "Hoeffding"):
            generator = np.random.default_rng(0)
            draw = partial(certify, generator, n, level, bound == "exact")
            splits = [draw() for _ in range(n_splits)]
            rates = np.array([own.rate for own in splits])
            yield {
                "promise": f"{promise} <= {level:g}",
                "bound": bound,
                "n": n,
                "splits": n_splits,
                "broken": float((rates > level).mean()),
                "true rate": float(rates.mean()),
                "used": float(np.mean([own.used for own in splits])),
            }


@dataclass(frozen=True)
class Learned:
    """Scores that retrieve where they are high: of the sample's questions by models that have not
    seen them and by the model that decides, and of others by the latter. ``right`` are the answers
    without retrieval of the sample, and of the others."""

    unseen: Floats
    seen: Floats
    others: Floats
    right: NDArray[np.bool_]
    right_others: NDArray[np.bool_]


N_FEATURES = 30
N_OTHERS = 4_000


def learned_benefit(generator: np.random.Generator, n: int) -> Learned:
    """What a retrieval adds, as `benefit_gate` learns it."""
    features, leaning = _drawn_features(generator, n)
    before = generator.random(len(leaning)) < _logistic(leaning)
    after = generator.random(len(leaning)) < _logistic(0.6 - 0.3 * leaning)
    changes = after.astype(int) - before.astype(int)
    fitted = cross_fit(features[:n].tolist(), changes[:n].tolist())
    scores = [expected_utility(fitted.model.probabilities(row)) for row in features.tolist()]
    unseen = [expected_utility(shares) for shares in fitted.out_of_fold]
    of_sample, of_others = np.array(scores[:n]), np.array(scores[n:])
    return Learned(np.array(unseen), of_sample, of_others, before[:n], before[n:])


def learned_doubt(generator: np.random.Generator, n: int) -> Learned:
    """1 - p-hat, as `max_prob_gate` takes it from a calibration."""
    features, leaning = _drawn_features(generator, n)
    correct = generator.random(len(leaning)) < _logistic(leaning)
    ids = [str(at) for at in range(n)]
    fitted = fit_probability(features[:n].tolist(), correct[:n].tolist(), ids)
    scores = 1.0 - np.array([fitted.model.probability(row) for row in features.tolist()])
    unseen = 1.0 - fitted.out_of_fold
    return Learned(unseen, scores[:n], scores[n:], correct[:n], correct[n:])


def _drawn_features(generator: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Features of the sample and of the others, and the log-odds that follow from them."""
    features = generator.normal(size=(n + N_OTHERS, N_FEATURES))
    return features, features @ generator.normal(0.0, 0.25, N_FEATURES)


def _logistic(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


LEARNED: Mapping[str, Callable[[np.random.Generator, int], Learned]] = {
    "benefit": learned_benefit,
    "1 - p-hat": learned_doubt,
}


Keeping = Callable[[Learned, bool, float], Certified]
"""What a promise comes to on the other questions, by the scores of models that have not seen a
question alone or by those of the model that decides as well."""


def deployed_retrievals(own: Learned, both: bool, level: float) -> Certified:
    looked_at = (own.unseen, own.seen) if both else (own.unseen,)
    threshold = max(retrieval_threshold(scores.tolist(), level, DELTA) for scores in looked_at)
    share = float((own.others >= threshold).mean())
    return Certified(share, share)


def deployed_errors(own: Learned, both: bool, level: float) -> Certified:
    """Nothing is answered where no threshold keeps the promise."""
    looked_at = (own.unseen, own.seen) if both else (own.unseen,)
    thresholds = [
        answering_threshold((1.0 - scores).tolist(), own.right.tolist(), level, DELTA)
        for scores in looked_at
    ]
    least = max(math.inf if isinstance(own, Unmet) else own for own in thresholds)
    is_given = 1.0 - own.others >= least
    n_given = int(is_given.sum())
    rate = float((~own.right_others[is_given]).mean()) if n_given else 0.0
    return Certified(rate, n_given / len(own.others))


DEPLOYED: Sequence[tuple[str, Keeping, str, int, float]] = (
    ("share of retrievals", deployed_retrievals, "benefit", 100, 0.3),
    ("share of retrievals", deployed_retrievals, "benefit", 300, 0.3),
    ("share of retrievals", deployed_retrievals, "benefit", 300, 0.2),
    ("share of retrievals", deployed_retrievals, "1 - p-hat", 100, 0.3),
    ("share of retrievals", deployed_retrievals, "1 - p-hat", 300, 0.3),
    ("share of retrievals", deployed_retrievals, "1 - p-hat", 300, 0.2),
    ("error among answered", deployed_errors, "1 - p-hat", 100, 0.4),
    ("error among answered", deployed_errors, "1 - p-hat", 300, 0.4),
    ("error among answered", deployed_errors, "1 - p-hat", 300, 0.3),
)
"""Promises, what is learned, questions of a sample and levels."""


def deployed(numbers: range, score: str, n: int) -> Iterator[dict[str, Any]]:
    """Every promise on the samples of these numbers."""
    learn = LEARNED[score]
    samples = [learn(np.random.default_rng((n, number)), n) for number in numbers]
    for promise, keep, of_score, size, level in DEPLOYED:
        if (of_score, size) != (score, n):
            continue
        for kind in ("unseen", "both"):
            made = [keep(own, kind == "both", level) for own in samples]
            yield {
                "promise": f"{promise} <= {level:g}",
                "score": score,
                "scores looked at": kind,
                "n": n,
                "samples": len(samples),
                "broken": float(np.mean([own.rate > level for own in made])),
                "keeps any": float(np.mean([own.used > 0 for own in made])),
                "used": float(np.mean([own.used for own in made])),
            }


@dataclass(frozen=True)
class Answers:
    """p-hat of answers by models that have not seen the question, and whether they are right."""

    confidences: Floats
    correct: NDArray[np.bool_]


def read_answers(path: Path, scorer: str) -> dict[str, Answers]:
    """The answers to the calibration questions of a file by plan: none, and one retrieval."""
    states = replay_states(read_calibration(path, scorer), {})
    learned = calibrate_on_records(states, (), {}, Reach(1, frozenset({ONCE})))
    plans = {"no retrieval": (), "one retrieval": (ONCE,)}
    nodes = {
        name: [node for node in learned.nodes if node.actions == actions]
        for name, actions in plans.items()
    }
    return {
        name: Answers(
            np.array([node.confidence for node in own]), np.array([node.correct for node in own])
        )
        for name, own in nodes.items()
    }


@dataclass(frozen=True)
class Judged:
    """What a threshold came to on the other half: how many of how many break the promise, and the
    share of questions that is used of it."""

    n_events: int
    n: int
    used: float

    def breaks(self, level: float) -> bool:
        return self.n_events > level * self.n

    def surely_breaks(self, level: float) -> bool:
        """Beyond what chance does to a half, at the 5 % level."""
        return self.n > 0 and binomial_p_value(self.n - self.n_events, self.n, 1 - level) < DELTA


def judged_retrievals(own: Answers, half: Any, other: Any, level: float, is_exact: bool) -> Judged:
    """Retrievals for the least sure, of answers without retrieval."""
    scores = (1.0 - own.confidences[half]).tolist()
    if is_exact:
        threshold = retrieval_threshold(scores, level, DELTA)
    else:
        budget = conservative_budget(level, len(scores), DELTA)
        threshold = threshold_for_budget(scores, budget)
    n_events = int((1.0 - own.confidences[other] >= threshold).sum())
    return Judged(n_events, len(other), n_events / len(other))


def judged_errors(own: Answers, half: Any, other: Any, level: float, is_exact: bool) -> Judged:
    """Wrong answers among those that are given."""
    confidences, correct = own.confidences[half], own.correct[half]
    if is_exact:
        passed = last_passing(confidences, 1.0 - correct, level, DELTA)
        threshold = math.inf if passed is None else passed
    else:
        threshold = _by_hoeffding(confidences, correct, level)
    given = own.confidences[other] >= threshold
    return Judged(int((given & ~own.correct[other]).sum()), int(given.sum()), float(given.mean()))


RECORDED: Mapping[tuple[str, str], Callable[[Answers, Any, Any, float, bool], Judged]] = {
    ("share of retrievals", "no retrieval"): judged_retrievals,
    ("error among answered", "no retrieval"): judged_errors,
    ("error among answered", "one retrieval"): judged_errors,
}


def halves(n: int, n_splits: int) -> Iterator[tuple[Any, Any]]:
    generator = np.random.default_rng(0)
    for _ in range(n_splits):
        order = generator.permutation(n)
        yield order[: n // 2], order[n // 2 :]


def on_recorded(
    name: str, answers: Mapping[str, Answers], level: float, n_splits: int
) -> Iterator[dict[str, Any]]:
    for (promise, plan), judge in RECORDED.items():
        own = answers[plan]
        for bound in ("exact", "Hoeffding"):
            splits = [
                judge(own, half, other, level, bound == "exact")
                for half, other in halves(len(own.correct), n_splits)
            ]
            n_events, n = sum(one.n_events for one in splits), sum(one.n for one in splits)
            yield {
                "questions": name,
                "promise": f"{promise} <= {level:g}",
                "answers": plan,
                "bound": bound,
                "n": len(own.correct) // 2,
                "splits": n_splits,
                "broken": float(np.mean([one.breaks(level) for one in splits])),
                "surely": float(np.mean([one.surely_breaks(level) for one in splits])),
                "rate": n_events / n if n else None,
                "used": float(np.mean([one.used for one in splits])),
            }


def pooled(files: Mapping[str, Mapping[str, Answers]]) -> dict[str, Answers]:
    plans = next(iter(files.values()))
    return {
        plan: Answers(
            np.concatenate([own[plan].confidences for own in files.values()]),
            np.concatenate([own[plan].correct for own in files.values()]),
        )
        for plan in plans
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="*", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--deployed", action="store_true", help="of models that are fitted")
    parser.add_argument("--first", type=int, default=0, help="number of the first sample")
    parser.add_argument("--scores", default=",".join(LEARNED), help="what --deployed learns")
    given = parser.parse_args()
    if given.deployed:
        numbers = range(given.first, given.first + given.splits)
        scores = given.scores.split(",")
        sizes = [(score, n) for score in scores for n in (100, 300)]
        rows = [row for size in sizes for row in deployed(numbers, *size)]
        report("certificates of gates that are fitted", rows)
        return
    if given.outcomes:
        files = {path.stem: read_answers(path, given.scorer) for path in given.outcomes}
        every = {**files, "all": pooled(files)} if len(files) > 1 else files
        recorded = [
            row
            for name, answers in every.items()
            for level in (0.3, 0.5)
            for row in on_recorded(name, answers, level, given.splits)
        ]
        report("certificates on recorded outcomes", recorded)
        return
    rows = [
        row
        for n in (100, 300, 1000)
        for level in (0.2, 0.3)
        for row in simulated(given.splits, n, level)
    ]
    report("certificates", rows)


if __name__ == "__main__":
    main()
