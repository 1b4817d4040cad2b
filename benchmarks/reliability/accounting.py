"""Jobs that run at once, or one after a killed one: does every executed call have a payer?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.reliability.counting import Counts
from benchmarks.reliability.jobs import JOBS, Job
from benchmarks.reliability.kill_points import (
    Template,
    copied,
    executed,
    forked,
    prepare,
    run,
    unaccounted,
    work_undisturbed,
)

N_ROUNDS = 3
PAYING = ("sweep", "calibrate", "tune")


def campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """``n_cases`` rounds of each job twice at once, and of each killed once and run again."""
    rows = []
    for name in PAYING:
        template = prepare(folder / name, JOBS[name])
        kinds = ((f"two of {name} at once", at_once), (f"{name} killed and run again", killed))
        for fault, case in kinds:
            rows.append(_rounds(folder / name, Counts(fault), n_cases or N_ROUNDS, case, template))
    return rows


def at_once(template: Template, place: Path, number: int, n_rounds: int) -> None:
    run_twice_at_once(template.job, place)


def run_twice_at_once(job: Job, place: Path) -> None:
    """Both begin in the same moment, with a cache that holds no call."""
    children = [forked(place, partial(work_undisturbed, job)) for _ in range(2)]
    for child in children:
        os.waitpid(child, 0)


def killed(template: Template, place: Path, number: int, n_rounds: int) -> None:
    """Once each of the job's calls is equally likely to be the last before the kill."""
    child = forked(place, partial(work_undisturbed, template.job))
    enough = calls_before_kill(template.n_calls, number, n_rounds)
    until = time.monotonic() + 60
    while len(executed(place)) < enough and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    run(template.job, place)


def calls_before_kill(n_calls: int, number: int, n_rounds: int) -> int:
    """Spread over the calls of a job, and never more than it has."""
    return 1 + number * n_calls // (n_rounds + 1)


def _rounds(
    folder: Path,
    counts: Counts,
    n_rounds: int,
    case: Callable[[Template, Path, int, int], None],
    template: Template,
) -> Counts:
    for number in range(n_rounds):
        place = copied(template.folder, folder / f"{case.__name__}-{number}")
        case(template, place, number, n_rounds)
        counts.add(*outcomes(place, template.job, counts.examples))
    return counts


def outcomes(place: Path, job: Job, examples: list[str]) -> list[str]:
    """In words; ``examples`` gets what does not add up."""
    calls = executed(place)
    problems = unaccounted(place, len(calls), job)
    if problems:
        examples.append(f"{'; '.join(problems)}: {(place / 'output').read_text()[-300:]}")
        return ["wrong_accounting"]
    named = ["every call has a payer"]
    if len(calls) > len(set(calls)):
        named.append("some calls were executed twice")
    return named
