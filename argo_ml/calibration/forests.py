"""Randomised trees fitted to explored questions, kept as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_TREES = 100
FEWEST_IN_LEAF = 25
"""Rows that a leaf needs: with 10 it gains less and with 50 much less, see docs/trials.md."""
AT_ONCE = 1024
"""Rows whose way through the trees is followed together: more do not fit into a core's cache."""
SHARE_OF_FEATURES = 0.4
"""Features that a split chooses among."""


@dataclass(frozen=True)
class Forest:
    """The mean over trees of the mean target in the leaf that the features lead to.

    By node: the feature that it splits by, the value up to which rows go left, its children (of a
    leaf itself) and its mean target. ``roots`` are the nodes that the trees begin at.
    """

    split_features: tuple[int, ...]
    thresholds: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    means: tuple[float, ...]
    roots: tuple[int, ...]
    depth: int

    def value(self, features: Sequence[float]) -> float:
        split_features, thresholds, left, right, means, roots = self._arrays
        # scikit-learn compares features in single precision.
        row = np.asarray(features, dtype=np.float32)
        at = roots
        for _ in range(self.depth):
            at = np.where(row[split_features[at]] <= thresholds[at], left[at], right[at])
        return float(means[at].mean())

    def values(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """`value` of every row, to the last bit, in a fraction of the time."""
        given = np.asarray(rows, dtype=np.float32)
        parts = (given[begin : begin + AT_ONCE] for begin in range(0, len(given), AT_ONCE))
        return [value for part in parts for value in self._means_of(part).tolist()]

    def _means_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        split_features, thresholds, left, right, means, roots = self._arrays
        number = np.arange(len(rows))[:, np.newaxis]
        at = np.broadcast_to(roots, (len(rows), len(roots)))
        for _ in range(self.depth):
            goes_left = rows[number, split_features[at]] <= thresholds[at]
            at = np.where(goes_left, left[at], right[at])
        # As contiguous as one row alone, of which NumPy adds up the same pairs.
        return np.asarray(np.ascontiguousarray(means[at]).mean(axis=1))

    @cached_property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        fields = (self.split_features, self.thresholds, self.left, self.right, self.means)
        return tuple(map(np.asarray, (*fields, self.roots)))


def fit_forest(rows: Sequence[Sequence[float]], targets: Sequence[float]) -> Forest:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006), the same ones every time."""
    trees = _fitted_trees(np.asarray(rows, dtype=np.float32), np.asarray(targets, dtype=float))
    starts = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]])
    own = [np.arange(tree.node_count) + start for tree, start in zip(trees, starts, strict=True)]
    is_leaf = [tree.children_left < 0 for tree in trees]
    parts = list(zip(trees, starts, own, is_leaf, strict=True))
    return Forest(
        split_features=_joined([np.where(leaf, 0, tree.feature) for tree, _, _, leaf in parts]),
        thresholds=_joined([tree.threshold for tree in trees]),
        left=_joined([np.where(leaf, at, tree.children_left + s) for tree, s, at, leaf in parts]),
        right=_joined([np.where(leaf, at, tree.children_right + s) for tree, s, at, leaf in parts]),
        means=_joined([tree.value[:, 0, 0] for tree in trees]),
        roots=tuple(starts.tolist()),
        depth=max(int(tree.max_depth) for tree in trees),
    )


def _fitted_trees(rows: NDArray[np.float32], targets: NDArray[np.float64]) -> list[Any]:
    """Those of `ExtraTreesRegressor`, which copies and checks its settings for every tree: of few
    hundred rows that takes half as long again."""
    from sklearn import config_context  # type: ignore[import-untyped]
    from sklearn.tree import ExtraTreeRegressor  # type: ignore[import-untyped]

    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=N_TREES)
    with config_context(skip_parameter_validation=True):
        fitted = [
            ExtraTreeRegressor(
                min_samples_leaf=FEWEST_IN_LEAF,
                max_features=SHARE_OF_FEATURES,
                random_state=int(seed),
            ).fit(rows, targets[:, None], check_input=False)
            for seed in seeds
        ]
    return [tree.tree_ for tree in fitted]


def _joined(parts: Sequence[NDArray[Any]]) -> tuple[Any, ...]:
    return tuple(np.concatenate(parts).tolist())
