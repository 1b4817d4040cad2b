"""Runs of processes that live, that were killed, and that are of another machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from argo_ml.processes import this_process
from argo_ml.tracking.owners import OWNER
from builders import workers

JOIN_S = 60


def begin_runs(
    tracking_uri: str, experiment: str, tags: Mapping[str, str], told: Connection
) -> None:
    """Begin a run with a child, say their ids, and live until somebody ends this process."""
    from argo_ml.tracking.runs import connect

    tracking = connect(tracking_uri, experiment)
    run = tracking.create("a run", tags)
    child = tracking.create_child(
        run, "a child", {"argo.kind": "cell", "argo.sweep_id": run.run_id}
    )
    told.send((run.run_id, child.run_id))
    told.recv()


@contextlib.contextmanager
def living(
    tracking_uri: str, experiment: str, tags: Mapping[str, str]
) -> Iterator[tuple[BaseProcess, str, str]]:
    """A second process and the ids of its run and of that run's child."""
    context = workers.context()
    here, there = context.Pipe()
    process = context.Process(target=begin_runs, args=(tracking_uri, experiment, tags, there))
    process.start()
    try:
        run_id, child_id = here.recv()
        yield process, run_id, child_id
    finally:
        process.kill()
        process.join(JOIN_S)


def of_another_host() -> dict[str, str]:
    return {
        OWNER: replace(
            this_process(), host="elsewhere", boot="elsewhere", lock="/nowhere.lock"
        ).text
    }
