"""Figures of left-out scores: area under the curve and balanced accuracy, by source and family, with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score, roc_auc_score  # type: ignore[import-untyped]

from training.grounded.fit import FAMILIES, Table

_DRAWS = 300
_SEED = 5


def figures(table: Table, scores: npt.NDArray[np.float64], threshold: float) -> dict[str, Any]:
    """All figures of real rows: `all`, each family, each source."""
    real = ~table.made
    label, score, family, group = table.unsupported[real], scores[real], table.family[real], table.group[real]
    found: dict[str, Any] = {"all": _one(label, score, threshold)}
    for names, column in ((FAMILIES, family), (np.unique(group).tolist(), group)):
        for name in names:
            mine = column == name
            found[str(name)] = _one(label[mine], score[mine], threshold)
    return found


def _one(label: npt.NDArray[np.int64], score: npt.NDArray[np.float64], threshold: float) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    areas, accuracies = [], []
    for _ in range(_DRAWS):
        drawn = rng.integers(0, len(label), len(label))
        if 0 < label[drawn].sum() < len(drawn):
            areas.append(roc_auc_score(label[drawn], score[drawn]))
            accuracies.append(balanced_accuracy_score(label[drawn], score[drawn] > threshold))
    return {
        "rows": len(label),
        "unsupported": int(label.sum()),
        "auc": round(float(roc_auc_score(label, score)), 3),
        "auc_95": [round(float(value), 3) for value in np.percentile(areas, (2.5, 97.5))],
        "balanced_accuracy": round(float(balanced_accuracy_score(label, score > threshold)), 3),
        "balanced_accuracy_95": [round(float(value), 3) for value in np.percentile(accuracies, (2.5, 97.5))],
    }
