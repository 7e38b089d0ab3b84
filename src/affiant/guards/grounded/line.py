"""A weighted sum of features, each held within bounds, and what it says about a matrix of them.

It stands beside the trees: these fit one source better, the sum carries over to others. Leaves out: how the slopes were found
(`training.grounded.line`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
BOUND = 3.0
"""Spreads from the centre beyond which a feature says no more."""
ARRAYS = ("line_centre", "line_spread", "line_slope", "line_offset")


class Line:
    """A sum over one vector of features.

    Args:
        arrays: `line_centre`, `line_spread` (above 0) and `line_slope` float32 (width,): of each feature; `line_offset` float32 (1,).
        width: features a row has.

    Raises:
        ValueError: the arrays do not fit.
    """

    def __init__(self, arrays: Mapping[str, Array], width: int) -> None:
        centre, spread, slope, offset = (arrays[name].astype(np.float64) for name in ARRAYS)
        if not centre.shape == spread.shape == slope.shape == (width,) or offset.shape != (1,) or not (spread > 0).all():
            raise ValueError("the arrays of the sum do not fit together; take the weights that came with this version")
        self._used = np.flatnonzero(slope)
        self._centre, self._spread, self._slope = centre[self._used], spread[self._used], slope[self._used]
        self._offset = float(offset[0])
        self.width = width

    def log_odds(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The log-odds of each row: `rows` float32 of shape (n, width) gives float64 of shape (n,)."""
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"a row has {self.width} features, not {rows.shape[-1]}")
        steps = np.clip((rows[:, self._used] - self._centre) / self._spread, -BOUND, BOUND)
        total: npt.NDArray[np.float64] = (steps * self._slope).sum(axis=1) + self._offset
        return total
