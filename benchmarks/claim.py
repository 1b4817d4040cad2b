"""The claim of docs/protocol.md on the atlas: calibrate, choose on tune, judge once on test.

Stage by stage, each an MLflow run whose id is kept in ``--folder``: a stage that has ended is not
run again, one that was interrupted goes on from the call cache. ``test`` runs last and once.

    python -m benchmarks.claim calibrate tune test --folder claim
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from argo_ml.config import CalibrateSpec, QuestionSpec, SweepSpec, build
from argo_ml.datasets.atlas import ATLAS
from argo_ml.datasets.base import Dataset, LoadedQuestions
from argo_ml.datasets.loading import DATASETS
from argo_ml.datasets.sampling import in_split, sample
from argo_ml.errors import ConfigError
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.record import open_record
from argo_ml.sweep.running import run_sweep
from benchmarks.claim_verdict import Judged, halves_retrievals, is_shown, mean_gain, price_rows
from benchmarks.reporting import report

HELD_BACK = "atlas_held_back"
N_HELD_BACK = 3000
SEED = 42
FIXED = ("never", "single", "always_retrieve", "always_reason")
CALIBRATIONS: Mapping[str, Mapping[str, Any]] = {
    "one step": {"max_steps": 1, "explorations": 1, "n_questions": 1500},
    "two steps": {"max_steps": 2, "explorations": 2, "n_questions": 300},
}
CANDIDATES: Mapping[str, tuple[str, ...]] = {
    "one step": (
        "argo_calibrated",
        "argo_fitted",
        "argo_advantage",
        "argo_segment",
        "benefit_gate",
        "margin_gate",
    ),
    "two steps": ("argo_calibrated", "argo_fitted", "argo_advantage", "stop_rag"),
}
N_TUNE = 1000
STAGES = "stages.json"
MODEL = "smollm2-135m"
WHOLE = 1.0
"""Share of the questions of a claim that is no rehearsal."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The atlas with the last `N_HELD_BACK` questions of its test split alone, in the order that
    samples are drawn in: no sweep of less than all has come to them. Without what the generator
    knows of a question, which nobody knows who asks."""

    spec: QuestionSpec

    def load(self) -> LoadedQuestions:
        loaded = ATLAS.open(self.spec).load()
        test = in_split(loaded.questions, "test")
        kept = {question.id for question in sample(test, len(test), SEED)[-N_HELD_BACK:]}
        left_out = {question.id for question in test} - kept
        questions = tuple(
            replace(own, metadata={}) for own in loaded.questions if own.id not in left_out
        )
        return replace(loaded, questions=questions, source=HELD_BACK)


DATASET = Dataset(open=HeldBack, documents=ATLAS.documents)


@dataclass(frozen=True)
class Claim:
    """The runs that there are, by stage, in ``folder``; ``share`` scales the numbers of questions
    for a rehearsal, which never asks the test split."""

    folder: Path
    model: str
    share: float
    cache_dir: str = ""

    @property
    def common(self) -> dict[str, Any]:
        cache = {"cache_dir": self.cache_dir} if self.cache_dir else {}
        return {
            "dataset": HELD_BACK,
            "difficulty": "all",
            "model": self.model,
            "seed": SEED,
            "tracking_uri": f"sqlite:///{self.folder / 'mlflow.db'}",
            **cache,
        }

    def n(self, n_questions: int) -> int:
        return max(10, round(n_questions * self.share))

    def once(self, stage: str, run: Callable[[], str]) -> str:
        """The id of the stage's run, which is run if it has not ended before."""
        path = self.folder / STAGES
        ended = self._ended(path)
        if stage not in ended:
            ended[stage] = run()
            path.write_text(json.dumps(ended, indent=1), encoding="utf-8")
        return str(ended[stage])

    def _ended(self, path: Path) -> dict[str, Any]:
        """The runs of the stages that have ended, and what they are of.

        Raises `ConfigError` for another share or model: those of a rehearsal are none of the claim.
        """
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        own = {"share": self.share, "model": self.model}
        # Files of before name neither.
        begun = {"share": WHOLE, "model": MODEL, **kept} if kept else own
        for name, value in own.items():
            if begun[name] != value:
                raise ConfigError(
                    f"{name}={value}: the stages in {self.folder} are of {name}={begun[name]}; "
                    "name another --folder"
                )
        return begun

    def calibration(self, name: str) -> str:
        wanted = {
            **CALIBRATIONS[name],
            "n_questions": self.n(CALIBRATIONS[name]["n_questions"]),
            "policies": ",".join(CANDIDATES[name]),
        }
        spec = build(CalibrateSpec, {**self.common, **wanted, "split": "calibration"})
        return self.once(f"calibration, {name}", lambda: run_calibration(spec).run_id)

    def sweep(self, split: str, name: str, strategies: Sequence[str], n_questions: int) -> Results:
        values = {
            **self.common,
            "split": split,
            "n_questions": n_questions,
            "n_prices": 10,
            "max_steps": CALIBRATIONS[name]["max_steps"],
            "calibration": self.calibration(name),
            "strategies": ",".join((*FIXED, *strategies)),
        }
        spec = build(SweepSpec, values)
        sweep_id = self.once(f"{split}, {name}", lambda: run_sweep(spec).sweep_id)
        return open_record(
            sweep_id, spec.tracking_uri, spec.experiment, self.folder / sweep_id
        ).results()

    def chosen(self) -> tuple[str, str]:
        """The calibration and the policy of the highest utility on tune, mean over all prices."""
        values = {
            (name, strategy): fmean(_mean(cell, results) for cell in results.row(strategy))
            for name, candidates in CANDIDATES.items()
            for results in [self.sweep("tune", name, candidates, self.n(N_TUNE))]
            for strategy in candidates
        }
        rows = [
            {"calibration": name, "policy": strategy, "utility on tune": value}
            for (name, strategy), value in values.items()
        ]
        report("claim_choice", rows)
        return max(values, key=values.__getitem__)

    def judge(self, split: str, n_questions: int) -> None:
        name, strategy = self.chosen()
        results = self.sweep(split, name, [strategy], n_questions)
        judged = [_judged(results, strategy, price) for price in results.prices]
        rows, gain = price_rows(judged), mean_gain(judged)
        halved = [_halves(results, strategy, price) for price in results.prices]
        report(
            f"claim_{split}",
            rows,
            policy=strategy,
            calibration=name,
            mean_gain=gain,
            shown={**is_shown(rows, gain), "accuracy at half the retrievals": any(halved)},
        )


def _cell(results: Results, strategy: str, price: float) -> CellResult:
    [cell] = [own for own in results.row(strategy) if own.retrieval_cost == price]
    return cell


def _mean(cell: CellResult, results: Results) -> float:
    return fmean(utilities(cell, float(results.spec["mu"])))


def _judged(results: Results, strategy: str, price: float) -> Judged:
    mu = float(results.spec["mu"])
    own, *fixed = (
        np.asarray(utilities(_cell(results, name, price), mu)) for name in (strategy, *FIXED)
    )
    return Judged(price, own, dict(zip(FIXED, fixed, strict=True)))


def _halves(results: Results, strategy: str, price: float) -> bool:
    metrics = _cell(results, strategy, price).metrics
    always = _cell(results, "always_retrieve", price).metrics
    return halves_retrievals(metrics["accuracy"], metrics["retrieval_calls"], always)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="+", choices=("calibrate", "tune", "rehearse", "test"))
    parser.add_argument("--folder", type=Path, default=Path("claim"))
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--cache-dir", default="")
    parser.add_argument("--share", type=float, default=WHOLE, help="of the numbers of questions")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if "test" in given.stages and given.share != WHOLE:
        parser.error(f"--share {given.share:g}: the test split is asked once, with all questions")
    DATASETS[HELD_BACK] = DATASET
    claim = Claim(folder, given.model, given.share, given.cache_dir)
    steps: Mapping[str, Callable[[], object]] = {
        "calibrate": lambda: [claim.calibration(name) for name in CALIBRATIONS],
        "tune": claim.chosen,
        "rehearse": lambda: claim.judge("tune", claim.n(N_TUNE)),
        "test": lambda: claim.judge("test", N_HELD_BACK),
    }
    for stage in given.stages:
        steps[stage]()


if __name__ == "__main__":
    main()
