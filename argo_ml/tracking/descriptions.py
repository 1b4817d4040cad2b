"""What MLflow's page of an experiment says first: it opens on traces, runs are elsewhere."""

from __future__ import annotations

from functools import partial

from mlflow import MlflowClient
from mlflow.entities import Run

from argo_ml.escaping import markdown
from argo_ml.tracking.opened_run import KIND
from argo_ml.tracking.stores import with_collisions

NOTE = "mlflow.note.content"
"""Tag of a run, and of an experiment, that is its description."""
_BEGIN = "**When does it pay to retrieve?**"
_MOST = 4_000


def describe_experiment(client: MlflowClient, run: Run, answer: str) -> None:
    """Say what the latest run of its kind came to and where runs, charts and traces are.

    A description that somebody else has written stays.
    """
    experiment_id = run.info.experiment_id
    present = client.get_experiment(experiment_id).tags.get(NOTE, "")
    if present and not present.startswith(_BEGIN):
        return
    here = f"#/experiments/{experiment_id}"
    answered = "\n\n".join(markdown(line) for line in answer.splitlines())
    ways = (
        f"[runs]({here}/runs)",
        f"[charts]({here}/runs?compareRunsMode=CHART)",
        f"[traces]({here}/traces)",
        f"[latest {run.data.tags[KIND]}]({here}/runs/{run.info.run_id})",
    )
    # The page shows the first line alone until somebody unfolds it.
    lines = (
        f"{_BEGIN} {' · '.join(ways)}",
        answered,
        "A sweep or a replay has a child per strategy and price of a retrieval, an advice one per "
        "stage, a comparison one per model; reports are among the artifacts. Charts show runs side "
        "by side. Traces are the episodes on which strategies disagree the most, with `correct` "
        "and `paid_off`.",
    )
    note = "\n\n".join(lines)[:_MOST]
    with_collisions(partial(client.set_experiment_tag, experiment_id, NOTE, note))
