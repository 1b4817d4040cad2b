"""The explored histories of a calibration, as edges from node to node, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

from argo_ml.calibration.node import Node
from argo_ml.types import Action

Given = ParamSpec("Given")
Made = TypeVar("Made")
N_EXPLORATION_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Edge:
    """A step that a calibration has seen, listed once however often it was explored."""

    before: Node
    action: Action
    after: Node


@dataclass(frozen=True, eq=False)
class Exploration:
    """Histories of some questions. What they teach whatever the price is worked out once (`once`).

    ``nodes`` of a question are all those that lead to any of them.
    """

    nodes: tuple[Node, ...]
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Exploration:
        return cls(tuple(nodes))

    @cached_property
    def places(self) -> dict[tuple[int, tuple[str, ...]], Node]:
        """The nodes by question and by the actions that led there."""
        return {(node.question, node.actions): node for node in self.nodes}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(
            Edge(self.places[node.question, node.actions[:-1]], Action(node.actions[-1]), node)
            for node in self.nodes
            if node.actions
        )

    @cached_property
    def retrieving_paths(self) -> tuple[tuple[Node, ...], ...]:
        """By question, the nodes before any step and after 1, 2, ... retrievals alone."""
        questions = sorted({node.question for node in self.nodes})
        paths = (tuple(self._retrieving(question)) for question in questions)
        return tuple(path for path in paths if path)

    def _retrieving(self, question: int) -> Iterator[Node]:
        actions: tuple[str, ...] = ()
        while (node := self.places.get((question, actions))) is not None:
            yield node
            actions = (*actions, Action.RETRIEVE.value)

    def after(self, node: Node, action: Action) -> Node | None:
        """The node that ``action`` leads to; None where nobody has been."""
        return self.places.get((node.question, (*node.actions, action.value)))

    def within(self, horizon: int) -> Exploration:
        """The nodes that at most ``horizon`` steps lead to."""
        return self.once(_within, horizon)

    @cached_property
    def folds(self) -> tuple[tuple[Exploration, Exploration], ...]:
        """Four fifths of the questions, and the others, in turn; none where either is empty."""
        pairs = (
            (
                Exploration.of(
                    node for node in self.nodes if node.question % N_EXPLORATION_FOLDS != fold
                ),
                Exploration.of(
                    node for node in self.nodes if node.question % N_EXPLORATION_FOLDS == fold
                ),
            )
            for fold in range(N_EXPLORATION_FOLDS)
        )
        return tuple(pair for pair in pairs if all(part.nodes for part in pair))

    def once(
        self,
        make: Callable[Concatenate[Exploration, Given], Made],
        *given: Given.args,
        **named: Given.kwargs,
    ) -> Made:
        """The result of ``make(self, ...)``, computed the first time that it is asked for.

        ``make`` is a function of a module, and what it returns is not to be changed.
        """
        key = (make, given, *sorted(named.items()))
        if key not in self._made:
            self._made[key] = make(self, *given, **named)
        made: Made = self._made[key]
        return made

    def __reduce__(self) -> tuple[type[Exploration], tuple[tuple[Node, ...]]]:
        """Pickle the nodes alone: everything else can be made again."""
        return Exploration, (self.nodes,)


def _within(explored: Exploration, horizon: int) -> Exploration:
    return Exploration.of(node for node in explored.nodes if len(node.actions) <= horizon)
