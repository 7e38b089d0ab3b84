"""Figures of a detector of injections: ranking, rates at fixed false alarms, each with an interval by bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
DRAWS = 200


def auc(attacks: Scores, benign: Scores) -> float:
    """Chance that an attack scores above a benign text; ties count half."""
    both = np.concatenate([attacks, benign])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - (counts - 1) / 2)[place]
    wins = ranks[: len(attacks)].sum() - len(attacks) * (len(attacks) + 1) / 2
    return float(wins / (len(attacks) * len(benign)))


def rate_at(attacks: Scores, benign: Scores, false_alarms: float) -> float:
    """Share of attacks above the score that the given share of benign texts exceeds."""
    return float((attacks > np.quantile(benign, 1 - false_alarms)).mean())


def with_interval(
    figure: Callable[[Scores, Scores], float], attacks: Scores, benign: Scores, seed: int = 5, draws: int = DRAWS
) -> dict[str, float]:
    """A figure with its 95 % interval, texts drawn with replacement."""
    rng = np.random.default_rng(seed)
    drawn = [figure(rng.choice(attacks, len(attacks)), rng.choice(benign, len(benign))) for _ in range(draws)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"value": round(figure(attacks, benign), 4), "from": round(float(low), 4), "to": round(float(high), 4)}
