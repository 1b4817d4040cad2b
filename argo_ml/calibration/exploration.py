"""The explored histories of a calibration as edges from node to node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from argo_ml.calibration.record import Node
from argo_ml.types import Action


@dataclass(frozen=True, slots=True)
class Edge:
    """One step that a calibration has seen, each once however often it was explored."""

    before: Node
    action: Action
    after: Node


def by_place(nodes: Sequence[Node]) -> dict[tuple[int, tuple[str, ...]], Node]:
    """By question and by the actions that led there."""
    return {(node.question, node.actions): node for node in nodes}


def edges(nodes: Sequence[Node]) -> Iterator[Edge]:
    places = by_place(nodes)
    for node in nodes:
        if node.actions:
            before = places[node.question, node.actions[:-1]]
            yield Edge(before, Action(node.actions[-1]), node)
