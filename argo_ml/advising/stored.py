"""A finished advice: its report written again, and whether it follows from what its runs stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import starmap, zip_longest
from pathlib import Path

from argo_ml.advising.choosing import choose
from argo_ml.advising.concluding import Judged
from argo_ml.advising.confirming import advised_ranges, confirm
from argo_ml.advising.recorded import AdvisedParts, evaluate_part, judge_replay, reread_parts
from argo_ml.advising.running import KIND
from argo_ml.advising.storing import store_with_report
from argo_ml.config import AdviseSpec, ReportSpec, VerifySpec, build
from argo_ml.errors import ArgoError, ConfigError
from argo_ml.evaluation.advice import REPLAY, TUNE, Advice
from argo_ml.evaluation.record import Evaluation
from argo_ml.parsing import parse_record
from argo_ml.results.artifacts import ADVICE, ADVISED_PARTS
from argo_ml.results.records import Record, Results
from argo_ml.results.stored import naming
from argo_ml.sweep.parent_run import load_parameters, load_record
from argo_ml.sweep.rebuilding import REPORTED, load_evaluated, rebuild_report, write_page
from argo_ml.sweep.record import find_run, open_record
from argo_ml.sweep.stored_files import stored_examples
from argo_ml.tracking import runs
from argo_ml.tracking.runs import TrackedRun, Tracking
from argo_ml.verification.numbers import are_equal
from argo_ml.verification.recomputed import replay_faults
from argo_ml.verification.verdict import Verdict, judged
from argo_ml.verification.verify import verify_run, verify_sweep


@dataclass(frozen=True, slots=True)
class StoredAdvice:
    """An advice, and the store that its runs are in."""

    advice: Advice
    run: TrackedRun
    tracking: Tracking

    def spec(self) -> AdviseSpec:
        return build(AdviseSpec, load_parameters(self.tracking, self.run.run_id))

    def judged(self) -> tuple[Judged, Evaluation]:
        """What it was chosen and drawn from, made again. Raises `ArgoError`."""
        results, evaluation = load_evaluated(self.advice.judged_by, self.tracking.uri)
        if REPLAY in self.advice.runs:
            again = judge_replay(self._parts(results), results)
            return again, evaluate_part(again.results)
        sizes, stages = self.advice.sizes, self.advice.runs
        chosen_on = self._tuned() or results
        return Judged(choose(chosen_on), results, self.advice.judged_on, sizes, stages), evaluation

    def _parts(self, results: Results) -> AdvisedParts:
        """As its run keeps them, whatever has become of the file since."""
        stored = self.run.read_artifact(ADVISED_PARTS)
        if stored is None:
            return reread_parts(self.spec(), results)
        with naming(ADVISED_PARTS, self.run.run_id):
            return parse_record(AdvisedParts, stored)

    def _tuned(self) -> Results | None:
        tuned = self.advice.runs.get(TUNE)
        return load_evaluated(tuned, self.tracking.uri)[0] if tuned else None


def find_advice(run_id: str, tracking_uri: str, experiment: str) -> StoredAdvice | None:
    """The advice of a run; None for a run of another kind, and where none is named."""
    if not run_id:
        return None
    kinds = (*REPORTED, KIND)
    tracking, run = find_run(run_id, kinds, tracking_uri, experiment)
    if run.data.tags.get(runs.KIND) != KIND:
        return None
    own = str(run.info.run_id)
    advice = load_record(tracking, own, ADVICE, Advice)
    return StoredAdvice(advice, TrackedRun(tracking.client, own, run), tracking)


def write_report(spec: ReportSpec) -> str:
    """Draw and write the report of an advice, a sweep or a replay again; returns its run's id.

    Raises `ArgoError`.
    """
    stored = find_advice(spec.sweep, spec.tracking_uri, spec.experiment)
    if stored is None:
        return rebuild_report(spec)
    if spec.cells:
        raise ConfigError(
            f"cells=true: sweep={spec.sweep} is an advice, which has no cells; give the run that "
            f"it is judged by as sweep={stored.advice.judged_by}"
        )
    again, evaluation = stored.judged()
    sweep = TrackedRun(stored.tracking.client, again.results.sweep_id)
    text = store_with_report(stored.advice, again, evaluation, stored.run, stored_examples(sweep))
    if spec.output:
        write_page(Path(spec.output).expanduser(), text)
    return stored.run.run_id


def verify(spec: VerifySpec) -> list[Verdict]:
    """Every check of an advice, a sweep or a study. Raises `ArgoError`."""
    stored = None if spec.study else find_advice(spec.sweep, spec.tracking_uri, spec.experiment)
    return verify_run(spec) if stored is None else list(_verdicts(stored))


def _verdicts(stored: StoredAdvice) -> Iterator[Verdict]:
    status = stored.tracking.get(stored.run.run_id).info.status
    yield Verdict("finished", status == "FINISHED", f"the advice's run is {status}")
    for stage, run_id in stored.advice.runs.items():
        yield from _of_stage(stage, run_id, stored.tracking)
    try:
        again, _ = stored.judged()
    except ArgoError as error:
        yield Verdict("advice", False, f"{error}; nothing more can be checked")
        return
    yield judged("advice", list(_differing(stored.advice, again)), "follows from its runs")


def _of_stage(stage: str, run_id: str, tracking: Tracking) -> Iterator[Verdict]:
    """A line for the stage, or one for each check of it that fails."""
    run = tracking.get(run_id)
    kind, status = run.data.tags.get(runs.KIND, ""), run.info.status
    if status != "FINISHED":
        yield Verdict(stage, False, f"run {run_id} is {status}")
    elif kind == "sweep":
        verdicts = verify_sweep(run_id, tracking.uri, "")
        failed = [own for own in verdicts if own.has_failed]
        yield from (Verdict(f"{stage}: {own.name}", False, own.detail) for own in failed)
        if not failed:
            n_checks = sum(not own.is_finding for own in verdicts)
            yield Verdict(stage, True, f"sweep {run_id}: all {n_checks} checks hold")
    elif kind == REPLAY:
        with tempfile.TemporaryDirectory() as folder:
            record = open_record(run_id, tracking.uri, "", Path(folder), kinds=(REPLAY,))
            yield judged(stage, replay_faults(record), f"replay {run_id} follows from its rows")
    else:
        yield Verdict(stage, True, f"{kind} {run_id} is {status}")


def _differing(advice: Advice, again: Judged) -> Iterator[str]:
    """What the stored advice says otherwise than its runs do."""
    prices = confirm(again.choices, again.results, again.is_confirming)
    ranges = advised_ranges(prices, again.results, again.is_confirming)
    for stored, made in zip(advice.prices, prices, strict=False):
        if not _are_alike(stored, made):
            yield (
                f"at {stored.retrieval_cost:g} it says {stored.strategy}, gain "
                f"{stored.gain.mean:.4g}; its runs {made.strategy}, gain {made.gain.mean:.4g}"
            )
    if len(advice.prices) != len(prices):
        yield f"it has {len(advice.prices)} prices, its runs {len(prices)}"
    elif not all(starmap(_are_alike, zip_longest(advice.ranges, ranges))):
        yield "its ranges of prices are not those of its runs"


def _are_alike(one: Record | None, other: Record | None) -> bool:
    """Whether two parts say the same, but for the last digits, which processors differ in."""
    return one is not None and other is not None and _is_close(one.model_dump(), other.model_dump())


def _is_close(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_close(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_is_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return are_equal(one, other)
    return one == other
