"""How far something long is: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    GetTimeCallable,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from argo_ml.cli.rendering.console import console
from argo_ml.progress import EPISODES, MODEL_SECONDS, NOT_SHOWN, OnProgress, duration

LINE_EVERY_SHARE = 0.1
LINE_EVERY_S = 30.0


@contextlib.contextmanager
def progress() -> Iterator[OnProgress]:
    """Shows what is finished, of how many, and the time left, on stderr.

    Nothing is shown before the first report, since loading a model shows progress of its own.
    """
    target = console(stderr=True)
    if not target.is_terminal:
        yield LineReport(target)
        return
    with contextlib.ExitStack() as until_the_end:
        yield _BarReport(target, until_the_end)


class LineReport:
    """One line per tenth of all or per half a minute, whichever comes first."""

    def __init__(self, target: Console, clock: GetTimeCallable = time.monotonic) -> None:
        self._console = target
        self._clock = clock
        self._units: dict[str, _UnitLines] = {}
        self._forecast = Forecast(clock)

    def __call__(self, unit: str, n_finished: int, n_total: int) -> None:
        time_left = self._forecast.update(unit, n_finished, n_total)
        if unit in NOT_SHOWN:
            return
        if unit not in self._units:
            self._units[unit] = _UnitLines(self._console, unit, self._clock)
        self._units[unit].update(n_finished, n_total, time_left)


class _UnitLines:
    """The lines of one thing that is counted."""

    def __init__(self, target: Console, unit: str, clock: GetTimeCallable) -> None:
        self._console = target
        self._unit = unit
        self._clock = clock
        self._shown = 0
        self._shown_at = clock()

    def update(self, n_finished: int, n_total: int, time_left: float | None) -> None:
        if n_finished < self._shown:
            # Another count of the same kind has begun, such as the next model's.
            self._shown = 0
        is_end = n_finished == n_total
        n_more = n_finished - self._shown
        is_late = self._clock() - self._shown_at >= LINE_EVERY_S
        is_worth_a_line = n_more >= LINE_EVERY_SHARE * n_total or (n_more > 0 and is_end)
        if not (is_worth_a_line or (is_late and not is_end)):
            return
        self._shown, self._shown_at = n_finished, self._clock()
        share = f"{n_finished / n_total:.0%}"
        rest = "" if is_end or time_left is None else f", {duration(time_left)} left"
        self._console.print(f"{self._unit} {n_finished}/{n_total} ({share}){rest}", soft_wrap=True)


class TimeLeft:
    """Seconds left by the mean speed since the first report, which tells what was done before.

    Shards are alike, so the mean over all of them foretells the rest better than the last one. A
    count that falls is another one, which begins anew.
    """

    def __init__(self, clock: GetTimeCallable) -> None:
        self._clock = clock
        self._began_at: float | None = None
        self._n_before = 0
        self._n_last = 0

    def update(self, n_finished: int, n_total: int) -> float | None:
        """None as long as nothing has been finished."""
        if self._began_at is None or n_finished < self._n_last:
            self._began_at, self._n_before = self._clock(), n_finished
        self._n_last = n_finished
        n_done = n_finished - self._n_before
        if n_done <= 0:
            return None
        return (self._clock() - self._began_at) / n_done * (n_total - n_finished)


class Forecast:
    """Seconds left of what is counted; of episodes by the model's foretold time, if any.

    None before the first of that has passed, when episodes whose calls are known tell nothing of
    the others, and where it is over while episodes are not.
    """

    def __init__(self, clock: GetTimeCallable) -> None:
        self._clock = clock
        self._units: dict[str, TimeLeft] = {}
        self._model_time: float | None = None

    def update(self, unit: str, n_finished: int, n_total: int) -> float | None:
        time_left = self._units.setdefault(unit, TimeLeft(self._clock)).update(n_finished, n_total)
        if unit == MODEL_SECONDS:
            self._model_time = time_left
        if unit != EPISODES or MODEL_SECONDS not in self._units:
            return time_left
        return self._model_time or None


class _BarReport:
    """A bar for each thing that is counted, drawn from its first report on."""

    def __init__(self, target: Console, until_the_end: contextlib.ExitStack) -> None:
        self._until_the_end = until_the_end
        self._tasks: dict[str, TaskID] = {}
        self._finished: dict[str, int] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=target,
        )
        self._forecast = Forecast(time.monotonic)

    def __call__(self, unit: str, n_finished: int, n_total: int) -> None:
        seconds = self._forecast.update(unit, n_finished, n_total)
        if unit in NOT_SHOWN:
            return
        if not self._tasks:
            self._until_the_end.enter_context(self._progress)
            self._until_the_end.enter_context(_log_above_bar())
        if unit not in self._tasks:
            self._tasks[unit] = self._progress.add_task(unit, total=n_total, left="")
        left = "" if seconds is None else f"{duration(seconds)} left"
        if n_finished < self._finished.get(unit, 0):
            self._progress.reset(self._tasks[unit], total=n_total)
        self._finished[unit] = n_finished
        self._progress.update(self._tasks[unit], completed=n_finished, left=left)


@contextlib.contextmanager
def _log_above_bar() -> Iterator[None]:
    """The bar catches what is written to `sys.stderr`; loggers hold the stream from before."""
    moved = [
        (handler, handler.setStream(sys.stderr))
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stderr__
    ]
    try:
        yield
    finally:
        for handler, stream in moved:
            if stream is not None:
                handler.setStream(stream)
