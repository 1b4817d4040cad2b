"""Fields of many question rows at once, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from argo_ml.types import Action

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class RowColumns:
    """``n`` rows, column by column.

    ``field`` gives the values of a field of numbers, truth values or texts. ``actions`` gives the
    names of all actions, ``decided`` a field of all decisions (of numbers; not a number where one
    has none), each with the numbers of the rows that they belong to. ``rows`` gives the rows
    themselves. Arrays of fields and counts are of shape (n,), and are not to be changed: several
    measures read one.
    """

    n: int
    field: Callable[[str], Array]
    actions: Callable[[], tuple[Array, Array]]
    decided: Callable[[str], tuple[Array, Array]]
    rows: Callable[[], Iterator[Any]]

    def steps(self) -> Array:
        """How many actions each row took."""
        _, owners = self.actions()
        return np.bincount(owners, minlength=self.n)

    def taken(self, action: Action) -> Array:
        """How often each row took the action."""
        names, owners = self.actions()
        return np.bincount(owners[names == action.value], minlength=self.n)

    def total(self, *names: str) -> Array:
        """The sum of fields of numbers, row by row."""
        return np.asarray(np.sum([self.field(name) for name in names], axis=0))


def columns_in_memory(rows: Sequence[Any]) -> RowColumns:
    """Of rows that are objects."""

    @cache
    def field(name: str) -> Array:
        return np.array([getattr(row, name) for row in rows])

    @cache
    def actions() -> tuple[Array, Array]:
        names = [name for row in rows for name in row.actions]
        return np.array(names, dtype=object), _owners([len(row.actions) for row in rows])

    def decided(name: str) -> tuple[Array, Array]:
        values = [getattr(decision, name) for row in rows for decision in row.decisions]
        return np.array(values, dtype=float), _owners([len(row.decisions) for row in rows])

    return RowColumns(len(rows), field, actions, decided, lambda: iter(rows))


def columns_of_batch(
    batch: Any, defaults: Callable[[str], object], rows: Callable[[], Iterator[Any]]
) -> RowColumns:
    """Of an Arrow batch of rows; ``defaults`` gives the values of fields that it lacks."""
    present = set(batch.schema.names)

    @cache
    def field(name: str) -> Array:
        if name not in present:
            return np.full(batch.num_rows, defaults(name))
        return np.asarray(batch.column(name).to_numpy(zero_copy_only=False))

    @cache
    def actions() -> tuple[Array, Array]:
        column = batch.column("actions")
        return column.flatten().to_numpy(zero_copy_only=False), _owners_in(column)

    def decided(name: str) -> tuple[Array, Array]:
        if "decisions" not in present:
            return np.empty(0), np.empty(0, dtype=np.int64)
        column = batch.column("decisions")
        values = column.flatten().field(name).to_numpy(zero_copy_only=False)
        return values.astype(float), _owners_in(column)

    return RowColumns(int(batch.num_rows), field, actions, decided, rows)


def _owners(lengths: Sequence[int]) -> Array:
    """For lists of these lengths, one after the other: the number of the list of each value."""
    return np.repeat(np.arange(len(lengths)), lengths)


def _owners_in(column: Any) -> Array:
    return _owners(np.diff(column.offsets.to_numpy()).tolist())
