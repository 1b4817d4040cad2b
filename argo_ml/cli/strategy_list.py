"""The names of all strategies, as help texts list them."""

from __future__ import annotations

from argo_ml.policies import ALL_STRATEGIES


def strategy_list() -> list[tuple[str, str]]:
    """Kinds of strategies in the order of their table, each with its names."""
    names: dict[str, list[str]] = {}
    for name, strategy in ALL_STRATEGIES.usable().items():
        names.setdefault(strategy.kind, []).append(name)
    return [(kind, ", ".join(own)) for kind, own in names.items()]
