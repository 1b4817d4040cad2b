"""What a study found, on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.table import Table

from argo_ml.cli.rendering.console import console
from argo_ml.cli.rendering.results import whereabouts
from argo_ml.results.naming import asked_questions
from argo_ml.results.study import Best, StudyReport
from argo_ml.tracking.location import RunLocation, locate


def print_study(report: StudyReport, location: RunLocation | None = None) -> None:
    """Best settings, their scores on both splits, the front, and where the run is."""
    out = console()
    spec = report.spec
    asked = asked_questions(str(spec["questions"]), str(spec["difficulty"]), str(spec["dataset"]))
    out.print(
        f"study {report.study}: {report.n_complete} trials complete, {report.n_pruned} pruned, "
        f"{report.n_failed} failed, on {report.n_questions} {asked}, {spec['split']} split",
        soft_wrap=True,
    )
    out.print(_best_table(report))
    for best in report.best:
        out.print(f"c_r {best.retrieval_cost:g}: {best.verdict}", soft_wrap=True)
        out.print(f"  settings: {_settings(best)}", soft_wrap=True)
    for point in report.front:
        values = ", ".join(f"{name} {value:.3f}" for name, value in point.values.items())
        mark = " (knee)" if point.is_knee else ""
        out.print(f"front: trial {point.trial}: {values}{mark}", soft_wrap=True)
    speed = "" if report.trials_per_second is None else f"; {report.trials_per_second:.2f} trials/s"
    out.print(
        f"language-model calls paid by trials: {report.lm_calls_paid} "
        f"({report.lm_calls_paid_per_trial:.1f} a trial){speed}",
        soft_wrap=True,
    )
    for line in whereabouts(location or locate(report.study_id)):
        out.print(line, soft_wrap=True)


def _best_table(report: StudyReport) -> Table:
    table = Table(header_style="bold", box=SIMPLE, pad_edge=False)
    for name in ("c_r", "trial", "tune", "test", "optimism"):
        table.add_column(name, justify="right", overflow="fold")
    strategies = [each.strategy for each in report.best[0].differences]
    for strategy in strategies:
        table.add_column(f"test - {strategy} [95 % CI]")
    for best in report.best:
        table.add_row(
            f"{best.retrieval_cost:g}",
            str(best.trial),
            f"{best.tune.utility:.3f}",
            f"{best.test.utility:.3f}",
            f"{best.optimism:+.3f}",
            *(each.shown for each in best.differences),
        )
    return table


def _settings(best: Best) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in best.settings.items())
