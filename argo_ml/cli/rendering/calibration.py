"""What a calibration found, on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.table import Table

from argo_ml.calibration.record import Calibration, GainEstimate
from argo_ml.cli.rendering.console import console
from argo_ml.cli.rendering.results import whereabouts
from argo_ml.exploring.calibrate import Calibrated
from argo_ml.pricing import PROBE, REASON, RETRIEVE
from argo_ml.statistics.intervals import Estimate, shows_spread, wilson
from argo_ml.tracking.location import RunLocation, locate, store_option

_GAINS = {
    "delta_r": "right answers gained by a retrieval that succeeds",
    "delta_p": "right answers gained by a reasoning step",
    "p_s": "share of retrievals that succeed",
}
_ACTIONS = {RETRIEVE: "a retrieval", REASON: "a reasoning step", PROBE: "a look at the answer"}


def print_calibration(calibrated: Calibrated, location: RunLocation | None = None) -> None:
    """Accuracy by plan, how good p-hat is, the measured gains, and how to use the run."""
    out = console()
    calibration, metrics = calibrated.calibration, calibrated.metrics
    out.print(
        f"calibration of {len(calibration.questions)} questions, {len(calibration.nodes)} states "
        f"to {calibration.horizon} steps; {metrics['lm_calls_paid_total']:.0f} calls paid of "
        f"{metrics['lm_calls_total']:.0f}",
        soft_wrap=True,
    )
    plans = {
        name.removeprefix("accuracy_"): value
        for name, value in metrics.items()
        if name.startswith("accuracy_")
    }
    listed = ", ".join(f"{plan} {value:.3f}" for plan, value in plans.items())
    out.print(f"accuracy by plan: {listed}", soft_wrap=True)
    auc = f"{metrics['roc_auc']:.3f}" if "roc_auc" in metrics else "undefined"
    out.print(
        f"p-hat by {calibration.probability.mapped_by}, out of fold: Brier {metrics['brier']:.3f} "
        f"(constant {metrics['brier_constant']:.3f}), ECE {metrics['ece']:.3f} "
        f"({metrics['ece_if_calibrated']:.3f} if perfect), ROC-AUC {auc}",
        soft_wrap=True,
    )
    out.print(_gains_table(calibrated))
    if calibration.action_usage:
        out.print(f"used on average: {_used(calibration)}", soft_wrap=True)
    location = location or locate(calibrated.run_id)
    use = f"argo-ml sweep --calibration {calibrated.run_id}{store_option(location.uri)} ..."
    out.print(f"use it: {use}", soft_wrap=True)
    for line in whereabouts(location):
        out.print(line, soft_wrap=True)


def _used(calibration: Calibration) -> str:
    """What actions use, which is what they cost where tokens or seconds have prices."""
    return "; ".join(
        f"{_ACTIONS[name]} {used.prompt_tokens:.0f} prompt and {used.completion_tokens:.0f} new "
        f"tokens, {used.seconds:.2f} s"
        for name, used in calibration.action_usage.items()
    )


def _gains_table(calibrated: Calibrated) -> Table:
    table = Table(header_style="bold", box=SIMPLE, pad_edge=False)
    table.add_column("gain")
    table.add_column("mean [95 % CI]")
    table.add_column("steps", justify="right")
    table.add_column("")
    for name, meaning in _GAINS.items():
        gain = calibrated.calibration.gains[name]
        shown = gain_text(name, gain, len(calibrated.calibration.questions))
        table.add_row(name, shown, str(gain.n), meaning)
    return table


def gain_text(name: str, gain: GainEstimate, n_questions: int) -> str:
    """A share that is the same on all questions has Wilson's interval; it has no sign."""
    if not gain.n:
        return "not seen"
    if name != "p_s":
        return f"{Estimate(gain.mean, gain.low, gain.high):+z.3f}"
    low, high = gain.low, gain.high
    if not shows_spread(low, high):
        n = min(gain.n, n_questions)
        interval = wilson(round(gain.mean * n), n)
        low, high = interval.low, interval.high
    return f"{Estimate(gain.mean, low, high):.3f}"
