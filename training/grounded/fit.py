"""Growing the trees, with whole sources left out to see what they are worth, and laying them flat for inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.metrics import balanced_accuracy_score  # type: ignore[import-untyped]

from affiant.guards.grounded.features import NAMES
from affiant.guards.grounded.trees import LEAF
from training.grounded.tables import Arrays

MADE_SHARE = 0.08
FAMILIES = ("summary", "dialogue", "qa", "wiki")
SETTINGS = {
    "max_iter": 40, "learning_rate": 0.07, "max_leaf_nodes": 10, "min_samples_leaf": 30, "l2_regularization": 5.0, "max_features": 0.3,
    "early_stopping": False, "random_state": 0,
}  # fmt: skip
# what more of can only make a claim look worse (+1) or better (-1), whatever the source
_WORSE = (
    "novel",
    "novel_max",
    "novel_sum",
    "novel_rare",
    "inserted_max",
    "swap_number",
    "swap_name",
    "antonyms",
    "numbers_novel",
    "numbers_off",
    "names_novel",
    "names_off",
    "negation",
    "absolute",
    "order",
    "end_cut",
    "strange_max",
    "strange_sum",
    "unbound",
    "unasked",
)
_BETTER = (
    "recall",
    "recall_plain",
    "recall_best",
    "recall_two",
    "bigrams",
    "trigrams",
    "fourgrams",
    "lcs",
    "longest",
    "near_pairs",
    "near_worst",
    "answer_recall",
    "supported_min",
    "meant",
    "near_two",
    "window",
)
MONOTONE = np.array([1 if name.split(".")[0] in _WORSE else -1 if name.split(".")[0] in _BETTER else 0 for name in NAMES])

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Table:
    """Rows as the trees see them.

    Args:
        features: float32 (rows, features).
        unsupported: 0 or 1, (rows,).
        group: what is left out together, (rows,).
        family: of the source, (rows,).
        made: whether the row was made by `spoil`, (rows,).
        context: a number for each context, (rows,).
    """

    features: Floats
    unsupported: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]
    family: npt.NDArray[np.str_]
    made: npt.NDArray[np.bool_]
    context: npt.NDArray[np.int64]


def weigh_rows(table: Table, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights: a source counts by the square root of its rows, half of that for each class; made rows share `MADE_SHARE`.

    Classes are even within each source, so that what only tells sources apart gains nothing: how many claims of one source are wrong says
    nothing about another's.
    """
    weights = np.ones(len(chosen))
    group, label, made = table.group[chosen], table.unsupported[chosen], table.made[chosen]
    for name in np.unique(group):
        mine = (group == name) & ~made
        if not mine.any():
            continue
        weights[mine] = mine.sum() ** -0.5
        for value in (0, 1):
            part = mine & (label == value)
            weights[part] *= mine.sum() / 2 / max(int(part.sum()), 1)
    real = ~made
    weights[real] /= weights[real].mean()
    if made.any():
        weights[made] = MADE_SHARE * real.sum() / made.sum()
    return weights


def grow(table: Table, chosen: npt.NDArray[np.int64]) -> Any:
    """Trees grown on the chosen rows."""
    model = HistGradientBoostingClassifier(**SETTINGS, monotonic_cst=MONOTONE)
    return model.fit(table.features[chosen], table.unsupported[chosen], sample_weight=weigh_rows(table, chosen))


def choose_threshold(table: Table, scores: npt.NDArray[np.float64]) -> float:
    """The threshold with the best balanced accuracy over all rows, on left-out scores."""
    real = ~table.made
    label, score = table.unsupported[real], scores[real]
    candidates = (round(float(value), 2) for value in np.arange(0.2, 0.81, 0.01))
    return max(candidates, key=lambda threshold: float(balanced_accuracy_score(label, score > threshold)))


def flatten(model: Any) -> Arrays:
    """The trees of a fitted model as the arrays of `affiant.guards.grounded.trees.Trees`."""
    trees = [stage[0].nodes for stage in model._predictors]
    width = max(len(nodes) for nodes in trees)
    shape = (len(trees), width)
    arrays: Arrays = {
        "feature": np.full(shape, LEAF, dtype=np.int16),
        "threshold": np.zeros(shape, dtype=np.float32),
        "left": np.zeros(shape, dtype=np.int16),
        "right": np.zeros(shape, dtype=np.int16),
        "value": np.zeros(shape, dtype=np.float32),
    }
    for number, nodes in enumerate(trees):
        inner = nodes["is_leaf"] == 0
        size = len(nodes)
        arrays["feature"][number, :size] = np.where(inner, nodes["feature_idx"], LEAF)
        # float32 rounds to nearest; the next one up keeps equal values on the left
        arrays["threshold"][number, :size] = np.where(inner, np.nextafter(nodes["num_threshold"].astype(np.float32), np.float32(np.inf)), 0)
        arrays["left"][number, :size] = np.where(inner, nodes["left"], 0)
        arrays["right"][number, :size] = np.where(inner, nodes["right"], 0)
        arrays["value"][number, :size] = np.where(inner, 0, nodes["value"])
    arrays["bias"] = np.array([model._baseline_prediction.item()], dtype=np.float32)
    return arrays
