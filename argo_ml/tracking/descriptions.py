"""What MLflow's page of an experiment says first: it opens on traces, runs are elsewhere."""

from __future__ import annotations

from mlflow import MlflowClient

from argo_ml.escaping import markdown

NOTE = "mlflow.note.content"
_BEGIN = "**When does it pay to retrieve?**"
_MOST = 4_000


def describe_experiment(client: MlflowClient, experiment_id: str, answer: str, run_id: str) -> None:
    """Say what the latest sweep came to and where runs, charts and traces are.

    A description that somebody else has written stays.
    """
    present = client.get_experiment(experiment_id).tags.get(NOTE, "")
    if present and not present.startswith(_BEGIN):
        return
    here = f"#/experiments/{experiment_id}"
    answered = "\n\n".join(markdown(line) for line in answer.splitlines())
    lines = (
        f"{_BEGIN} Experiment of argo_ml.",
        f"[The latest sweep]({here}/runs/{run_id}): {answered}",
        f"[All runs]({here}/runs): sweeps with a child per strategy and price of a retrieval; "
        "open a sweep for its report. "
        f"[Charts]({here}/runs?compareRunsMode=CHART): the cells side by side. "
        f"[Traces]({here}/traces): the episodes on which strategies disagree the most, with "
        "`correct` and `paid_off`.",
    )
    client.set_experiment_tag(experiment_id, NOTE, "\n\n".join(lines)[:_MOST])
