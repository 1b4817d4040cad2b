"""The names of the strategies that a command takes, as help texts list them."""

from __future__ import annotations

from argo_ml.config import AdviseSpec, ReplaySpec, Spec
from argo_ml.policies import ALL_STRATEGIES
from argo_ml.policies.description import Strategy


def strategy_list(spec_type: type[Spec]) -> list[tuple[str, str]]:
    """Kinds of strategies in the order of their table, each with its names."""
    names: dict[str, list[str]] = {}
    for name, strategy in ALL_STRATEGIES.usable().items():
        if _takes(spec_type, strategy):
            names.setdefault(strategy.kind, []).append(name)
    return [(kind, ", ".join(own)) for kind, own in names.items()]


def _takes(spec_type: type[Spec], strategy: Strategy) -> bool:
    if issubclass(spec_type, ReplaySpec):
        return strategy.replay is not None
    return not (issubclass(spec_type, AdviseSpec) and strategy.is_ceiling)
