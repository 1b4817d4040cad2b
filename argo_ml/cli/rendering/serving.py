"""Lines of the commands about policies in use."""

from __future__ import annotations

from argo_ml.cli.rendering.console import console
from argo_ml.serving.registering import Registered


def print_registered(registered: Registered) -> None:
    """What was published, and how to use it."""
    published, out = registered.published, console()
    strategies = ", ".join(published.strategies)
    lines = (
        f"published {strategies} as version {registered.version} of {registered.name}, "
        f"alias {registered.alias}",
        f"justified by sweep {published.sweep_id} on {published.n_questions} questions",
        f"serve it: mlflow models serve -m {registered.uri} --env-manager local --port 5001",
        f'in Python: argo_ml.load_policy("{registered.uri}")',
    )
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)
