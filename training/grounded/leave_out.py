"""Scores of rows by models that saw nothing of their part: trees and sum, as in use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score  # type: ignore[import-untyped]

from affiant.guards.grounded.features import NAMES
from affiant.guards.grounded.line import Line
from affiant.guards.grounded.trees import probability
from training.grounded.fit import Table, choose_threshold, grow
from training.grounded.line import draw_line


def left_out(table: Table, parts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Each real row's score by a model that saw nothing of its part; `parts` names each row's. Made rows keep NaN."""
    scores = np.full(len(table.unsupported), np.nan)
    for part in np.unique(parts):
        inside = parts == part
        test = np.flatnonzero(inside & ~table.made)
        if len(test):
            seen = np.flatnonzero(~inside)
            trees = grow(table, seen).decision_function(table.features[test])
            scores[test] = probability((trees + Line(draw_line(table, seen), len(NAMES)).log_odds(table.features[test])) / 2)
    return scores


def accuracy_beyond(table: Table, scores: npt.NDArray[np.float64]) -> float:
    """Balanced accuracy of left-out scores where each group's threshold was chosen on the others."""
    flagged = np.zeros(len(scores), dtype=np.bool_)
    for group in np.unique(table.group):
        mine = table.group == group
        flagged[mine] = scores[mine] > choose_threshold(replace(table, made=table.made | mine), scores)
    return round(float(balanced_accuracy_score(table.unsupported[~table.made], flagged[~table.made])), 3)
