"""Options that hold objects of the caller's program, put as names that a spec can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_ml.errors import ConfigError
from argo_ml.policies.own import add_policy


def with_own_policies(options: Mapping[str, Any]) -> dict[str, Any]:
    """Policies among ``strategies`` become known by name, their values strategy_parameters.

    Raises `ConfigError` for what is no policy, and with workers that would not know it.
    """
    strategies = options.get("strategies")
    if not isinstance(strategies, (list, tuple)):
        return dict(options)
    added = [(own, "") if isinstance(own, str) else add_policy(own) for own in strategies]
    if options.get("executor") == "ray" and not all(isinstance(own, str) for own in strategies):
        raise ConfigError(
            "executor=ray: workers do not know policies of this program; put them into a package "
            "(docs/extending.md)"
        )
    given = [options.get("strategy_parameters", ""), *(parameters for _, parameters in added)]
    return {
        **options,
        "strategies": tuple(name for name, _ in added),
        "strategy_parameters": ",".join(filter(None, given)),
    }
