"""Under which names MLflow keeps metrics and parameters: plain what people compare, the rest in
groups.

A name ``group/name`` gets a section of its own among the charts of MLflow's interface and stands
together in the list of columns. Runs of versions that knew no groups are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mlflow.entities import Run

SETTINGS = "settings"
DIGESTS = "digests"
BY_PRICE = "by_price"
_USED = "used."
"""Before the parameters that earlier versions logged where `mlflow run` had logged another text."""
_SYSTEM = "system/"


class _Group(NamedTuple):
    name: str
    pattern: str


_METRIC_GROUPS = (
    _Group("answers", r"exact_match|contains|accuracy_per_cost"),
    _Group("actions", r"steps|retrieval_success_rate|repeated_retrievals|\w*fallbacks"),
    _Group("calls", r"(decomposer|reader|reasoner|synthesizer|probe|sample)_calls"),
    _Group("calls", r"lm_calls_executed|lm_calls_unsettled"),
    _Group("calls", r"prompt_tokens|completion_tokens|lm_seconds|tokens_computed|padding_share"),
    _Group("stops", r"stop_\w+"),
    _Group("process", r"policy_value|policy_regret"),
    _Group("devices", r"gpu_\d+_\w+|cpu_utilization_mean|memory_peak_mb"),
    _Group("stages", r"seconds_\w+"),
    _Group("estimate", r"estimated_\w+"),
    _Group("floors", r"floor_\w+"),
    _Group("strategies", r"(mean_accuracy|mean_utility|best_utility)_.+"),
    _Group("fit", r"aurc|prr|ece_if_calibrated|brier_\w+"),
    _Group(BY_PRICE, r"\w+_c_r_.+"),
)

COMPARED_SETTINGS = frozenset(
    {
        "strategy",
        "retrieval_cost",
        "price",
        "strategies",
        "retrieval_costs",
        "reason_cost",
        "theta_cont",
        "theta_star",
        "mode",
        "dataset",
        "difficulty",
        "split",
        "model",
        "models",
        "n_questions",
        "seed",
        "calibration",
        "progress",
        "outcomes",
        "policies",
        "study",
        "objective",
        "n_trials",
    }
)
"""Parameters that tell runs apart at a glance; the others stand under ``settings/``."""


def metric_name(name: str) -> str:
    """The name under which a metric is logged; metrics of other packages keep theirs."""
    for group in _METRIC_GROUPS:
        if re.fullmatch(group.pattern, name):
            return f"{group.name}/{name}"
    return name


def param_name(name: str) -> str:
    """The name under which a field of a spec, or a digest, is logged."""
    if name.endswith("_digest"):
        return f"{DIGESTS}/{name}"
    return name if name in COMPARED_SETTINGS else setting(name)


def spec_params(values: Mapping[str, object]) -> dict[str, object]:
    """The fields of a spec and its digests as params: plain those that tell runs apart, the others
    in groups, and none that is empty."""
    empty: tuple[object, ...] = (None, "", (), [])
    return {param_name(name): value for name, value in values.items() if value not in empty}


def setting(name: str) -> str:
    return f"{SETTINGS}/{name}"


def logged_metrics(run: Run) -> dict[str, float]:
    """A run's metrics without their groups; MLflow's own readings of the system are left out."""
    return {
        name.rpartition("/")[2]: value
        for name, value in run.data.metrics.items()
        if not name.startswith(_SYSTEM)
    }


def logged_params(run: Run) -> dict[str, str]:
    """A run's parameters as they were used, without their groups.

    `mlflow run` logs parameters as they were typed before the run begins, and MLflow lets nobody
    change them: where the value in use is another text, it stands in its group.
    """
    params: Mapping[str, str] = run.data.params
    typed = {name: text for name, text in params.items() if _plain(name) == name}
    return typed | {_plain(name): text for name, text in params.items() if _plain(name) != name}


def _plain(name: str) -> str:
    for group in (f"{SETTINGS}/", f"{DIGESTS}/", _USED):
        if name.startswith(group):
            return name.removeprefix(group)
    return name
