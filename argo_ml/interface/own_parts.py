"""Options that hold objects of the caller's program, put as names that a spec can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argo_ml.config.source_fields import RETRIEVERS
from argo_ml.corpus.own_retriever import OWN_RETRIEVERS
from argo_ml.errors import ConfigError
from argo_ml.policies.own import add_policy


def with_own_parts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Policies and a retriever that are objects become known in this process by their names.

    Raises `ConfigError` for what is none, and with workers that would not know it.
    """
    return with_own_retriever(with_own_policies(options))


def with_own_retriever(options: Mapping[str, Any]) -> dict[str, Any]:
    """A function as ``retriever`` becomes known by its attribute ``name``, else its own name."""
    retriever = options.get("retriever")
    if retriever is None or isinstance(retriever, str):
        return dict(options)
    if not callable(retriever):
        raise ConfigError(
            f"retriever={retriever!r:.60} cannot be called; give a name, or a function from a list "
            "of queries to a list of passages for each"
        )
    _refuse_workers(options, "a retriever")
    own_name = getattr(retriever, "__name__", type(retriever).__name__)
    name = str(getattr(retriever, "name", own_name)).strip("<>")
    if name in RETRIEVERS:
        raise ConfigError(f"retriever {name!r} is one of argo_ml; choose another name")
    OWN_RETRIEVERS.add(name, retriever)
    return {**options, "retriever": name}


def _refuse_workers(options: Mapping[str, Any], what: str) -> None:
    if options.get("executor") == "ray":
        raise ConfigError(
            f"executor=ray: workers do not know {what} of this program; put it into a package "
            "(docs/extending.md)"
        )


def with_own_policies(options: Mapping[str, Any]) -> dict[str, Any]:
    """Policies among ``strategies`` become known by name, their values strategy_parameters.

    Those of a policy take the place of what was given for its name. Raises `ConfigError` for what
    is no policy, and with workers that would not know it.
    """
    strategies = options.get("strategies")
    if not isinstance(strategies, (list, tuple)) or all(isinstance(own, str) for own in strategies):
        return dict(options)
    added = [(own, "") if isinstance(own, str) else add_policy(own) for own in strategies]
    _refuse_workers(options, "a policy")
    brought = {name for name, parameters in added if parameters}
    given = str(options.get("strategy_parameters", "")).split(",")
    kept = [part for part in given if part.strip().partition(".")[0] not in brought]
    return {
        **options,
        "strategies": tuple(name for name, _ in added),
        "strategy_parameters": ",".join(filter(None, (*kept, *(own for _, own in added)))),
    }
