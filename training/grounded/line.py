"""The weighted sum beside the trees: slopes of the features whose sense is known, none against that sense.

Rows weigh as for the trees. Made rows are left out: they teach the trees and mislead the sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize  # type: ignore[import-untyped]

from affiant.guards.grounded.line import BOUND
from training.grounded.fit import MONOTONE, Table, weigh_rows
from training.grounded.tables import Arrays

LINE_SETTINGS = {"ridge": 0.03, "bound": BOUND, "steps": 200}
Reals = npt.NDArray[np.float64]


def draw_line(table: Table, chosen: npt.NDArray[np.int64]) -> Arrays:
    """The arrays of `affiant.guards.grounded.line.Line`, from those of the chosen rows that nobody made."""
    chosen = chosen[~table.made[chosen]]
    weights = weigh_rows(table, chosen)
    weights /= weights.sum()
    label, features = table.unsupported[chosen].astype(np.float64), table.features[chosen].astype(np.float64)
    used = np.flatnonzero(MONOTONE)
    centre = weights @ features
    spread = np.sqrt(weights @ (features - centre) ** 2) + 1e-6
    steps = np.clip((features - centre) / spread, -BOUND, BOUND)[:, used]
    found = _slopes(steps, label, weights, MONOTONE[used])
    slope = np.zeros(len(MONOTONE))
    slope[used] = found[:-1]
    return {
        "line_centre": centre.astype(np.float32),
        "line_spread": spread.astype(np.float32),
        "line_slope": slope.astype(np.float32),
        "line_offset": found[-1:].astype(np.float32),
    }


def _slopes(steps: Reals, label: Reals, weights: Reals, sense: npt.NDArray[np.int64]) -> Reals:
    """Slopes and, last, the offset, of the least weighted log loss with a ridge over the slopes."""
    ridge = float(LINE_SETTINGS["ridge"])

    def loss(point: Reals) -> tuple[float, Reals]:
        odds = steps @ point[:-1] + point[-1]
        off = weights * (1 / (1 + np.exp(-odds)) - label)
        value = float(weights @ (np.logaddexp(0, odds) - label * odds)) + ridge * float(point[:-1] @ point[:-1]) / 2
        return value, np.append(steps.T @ off + ridge * point[:-1], off.sum())

    bounds: list[Any] = [(0, None) if side > 0 else (None, 0) for side in sense] + [(None, None)]
    start = np.zeros(steps.shape[1] + 1)
    options = {"maxiter": int(LINE_SETTINGS["steps"])}
    found: Reals = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return found
