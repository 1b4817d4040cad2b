"""What the run of an advice keeps: the advice, its report and figures, and how to find the rest."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from argo_ml.advising.concluding import Judged
from argo_ml.errors import TrackingError
from argo_ml.escaping import markdown
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.examples import Example
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting import store_report
from argo_ml.results.artifacts import ADVICE, EVALUATION, FIGURES
from argo_ml.results.records import Record
from argo_ml.sweep.parent_run import load_record
from argo_ml.sweep.stored_files import stored_examples
from argo_ml.tracking.runs import TrackedRun, Tracking


def store_advice(advice: Advice, judged: Judged, run: TrackedRun, tracking: Tracking) -> None:
    """Keep the advice of a study whose stages are sweeps, with the report of the last of them."""
    sweep_id = judged.results.sweep_id
    evaluation = load_record(tracking, sweep_id, EVALUATION, Evaluation)
    examples = stored_examples(TrackedRun(tracking.client, sweep_id))
    with tempfile.TemporaryDirectory() as folder:
        drawn = _figures(tracking, sweep_id, Path(folder))
        store_with_report(advice, judged, evaluation, run, examples, drawn)


def _figures(tracking: Tracking, sweep_id: str, folder: Path) -> Path | None:
    """The figures of the sweep; None where it has none, so that they are drawn again."""
    try:
        return tracking.download(sweep_id, FIGURES, folder)
    except TrackingError:
        return None


def store_with_report(
    advice: Advice,
    judged: Judged,
    evaluation: Evaluation,
    run: TrackedRun,
    examples: Sequence[Example] = (),
    drawn: Path | None = None,
) -> str:
    """Returns the report's text."""
    write_advice(advice, run)
    text = store_report(run, evaluation, judged.results, examples, advice, drawn)
    run.log(metrics=advice_metrics(advice))
    run.describe(description(advice))
    return text


def write_advice(advice: Advice, run: TrackedRun) -> None:
    store_json(run, ADVICE, advice)


def store_json(run: TrackedRun, artifact: str, record: Record) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / artifact).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        run.log_folder(folder)


def advice_metrics(advice: Advice) -> dict[str, float]:
    """The few numbers by which advices are compared."""
    metrics = {f"n_{split}": float(n) for split, n in advice.sizes.items()}
    if advice.data is not None and advice.data.hit_rate is not None:
        metrics["hit_rate"] = advice.data.hit_rate
    for own in advice.ranges:
        if own.low is None and own.high is not None:
            metrics["first_change_price"] = own.high
    metrics["n_ranges"] = float(len(advice.ranges))
    return metrics


def description(advice: Advice) -> str:
    """The run's description in Markdown."""
    lines = (*advice.sentences, *(f"{stage}: {why}" for stage, why in advice.cut.items()))
    return "\n\n".join(markdown(line) for line in lines)
