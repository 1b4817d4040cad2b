"""Which processes are at work on a run: they are named in a tag of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlflow.entities import Run

from argo_ml.processes import Life, Process, life_of, parse_process, this_process

OWNER = "argo.process"
"""Tag of a run: a line for each process at work on it, more than one for a study alone. Runs of
earlier versions have none."""


def own_tag() -> dict[str, str]:
    return {OWNER: this_process().text}


def joined_tag(tags: Mapping[str, str]) -> dict[str, str]:
    """This process beside those that are named and may live."""
    return _tag([*_others(tags), this_process()])


def another_alive(run: Run) -> Process | None:
    """A process other than this that is at work on it, as far as can be seen from here."""
    return _another(run, Life.ALIVE)


def another_elsewhere(run: Run) -> Process | None:
    """A process of which only its own machine or container can say whether it is."""
    return _another(run, Life.UNKNOWN)


def _another(run: Run, life: Life) -> Process | None:
    # One that has ended still names the process that ended it.
    at_work = _others(run.data.tags) if run.info.status == "RUNNING" else []
    return next((process for process in at_work if life_of(process) is life), None)


def left_tag(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that are named without this process and may live; empty where there are none."""
    others = _others(tags)
    return _tag(others) if others else {}


def _others(tags: Mapping[str, str]) -> list[Process]:
    here = this_process()
    return [
        process for process in named(tags) if process != here and life_of(process) is not Life.DEAD
    ]


def _tag(processes: Sequence[Process]) -> dict[str, str]:
    return {OWNER: "\n".join(process.text for process in processes)}


def named(tags: Mapping[str, str]) -> list[Process]:
    lines = map(parse_process, tags.get(OWNER, "").splitlines())
    return [process for process in lines if process is not None]


def is_own(run: Run) -> bool:
    """Whether this process is at work on it."""
    return this_process() in named(run.data.tags)


def life_of_any(processes: Sequence[Process]) -> Life:
    """Alive if one of them is, dead if all are."""
    lives = {life_of(process) for process in processes}
    for life in (Life.ALIVE, Life.UNKNOWN):
        if life in lives:
            return life
    return Life.DEAD if lives else Life.UNKNOWN


def hosts(run: Run) -> set[str]:
    return {process.host for process in named(run.data.tags)}
