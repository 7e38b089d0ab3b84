"""Boosted regression trees as flat arrays, and what they say about a matrix of features.

A tree is walked for all rows at once, level by level; the sum over trees and a bias is a log-odds. Leaves out: how the trees
were grown (`training.grounded`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
LEAF = -1


class Trees:
    """Trees over one vector of features.

    Args:
        arrays: `feature` int16 (trees, nodes), `LEAF` for a leaf; `threshold` float32 (trees, nodes), values up to it go left; `left` and
            `right` int16 (trees, nodes), numbers within the tree; `value` float32 (trees, nodes), a leaf's log-odds; `bias` float32 (1,).
        width: features a row has.

    Raises:
        ValueError: the arrays do not fit together, or a child is not behind its parent.
    """

    def __init__(self, arrays: Mapping[str, Array], width: int) -> None:
        self._feature = arrays["feature"].astype(np.int64)
        self._threshold = arrays["threshold"].astype(np.float32)
        self._left, self._right = arrays["left"].astype(np.int64), arrays["right"].astype(np.int64)
        self._value = arrays["value"].astype(np.float32)
        self._bias = float(arrays["bias"].astype(np.float64)[0])
        self.width = width
        shape = self._feature.shape
        if len(shape) != 2 or any(each.shape != shape for each in (self._threshold, self._left, self._right, self._value)):
            raise ValueError("the tree arrays differ in shape; take the weights that came with this version")
        inner = self._feature != LEAF
        parents = np.broadcast_to(np.arange(shape[1]), shape)[inner]
        children = np.stack([self._left[inner], self._right[inner]])
        if inner.any() and ((children <= parents).any() or (children >= shape[1]).any() or self._feature.max() >= width):
            raise ValueError("a tree points outside of itself or its features; take the weights that came with this version")
        # a leaf leads to itself, so that all rows walk as many levels as the deepest needs
        here = np.broadcast_to(np.arange(shape[1]), shape)
        self._left = np.where(inner, self._left, here)
        self._right = np.where(inner, self._right, here)
        self._column = np.where(inner, self._feature, 0)
        self._levels = _depth(self._left, self._right, inner)

    def log_odds(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The log-odds of each row: `rows` float32 of shape (n, width) gives float64 of shape (n,)."""
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"a row has {self.width} features, not {rows.shape[-1]}")
        trees = np.arange(len(self._feature))[None, :]
        lines = np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(self._feature)), dtype=np.int64)
        for _ in range(self._levels):
            value = rows[lines, self._column[trees, node]]
            node = np.where(value <= self._threshold[trees, node], self._left[trees, node], self._right[trees, node])
        total: npt.NDArray[np.float64] = self._value[trees, node].sum(axis=1, dtype=np.float64)
        return total + self._bias


def _depth(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], inner: npt.NDArray[np.bool_]) -> int:
    """Levels of the deepest tree; children stand behind their parents."""
    depth = np.zeros(left.shape, dtype=np.int64)
    trees = np.arange(len(left))
    for node in range(left.shape[1]):
        grown = inner[:, node]
        for side in (left, right):
            child = side[trees, node]
            depth[trees[grown], child[grown]] = depth[grown, node] + 1
    return int(depth.max(initial=0))


def probability(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The probability of a log-odds, without overflow."""
    result: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -60.0, 60.0)))
    return result
