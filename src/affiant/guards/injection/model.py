"""The trained cheap stage: two linear models over each window, and one over their maxima and the rules.

Weights come in as arrays (`src/affiant/weights/injection.npz`), made by `python -m training.injection`. Without weights the
rules decide alone. Leaves out: the encoder, which the cascade asks where this stage is unsure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affiant.guards.injection.data import order_strength
from affiant.guards.injection.ngrams import BUCKETS
from affiant.guards.injection.rules import Hit
from affiant.guards.injection.views import CONCEPT_COLUMNS, View, Window
from affiant.guards.model import Role

LAYOUT = 2
"""Number of the layout of features; weights of another one do not fit."""
STACKED = (
    "ngrams",
    "ngrams on average",
    "concepts",
    "concepts on average",
    "rule",
    "rule over half",
    "rule strong",
    "families",
    "order in data",
)
"""What the last model weighs: the worst window and the mean one by both models, what the rules found, orders in data."""
_ROLES = {Role.USER: 0, Role.SYSTEM: 0, Role.ASSISTANT: 0, Role.TOOL: 1, Role.DOCUMENT: 2}
_SHAPES = {
    "layout": (1,),
    "ngram_weights": (BUCKETS,),
    "ngram_scale": (2,),
    "concept_weights": (CONCEPT_COLUMNS + 1,),
    "stack": (len(STACKED) + 1,),
    "thresholds": (3, 2),
    "grey": (2,),
    "mix": (3,),
}

Array = npt.NDArray[np.float32]


class WeightsError(ValueError):
    """Weights that do not fit this version. Its text says what to do."""


@dataclass(frozen=True, slots=True)
class Cheap:
    """What the cheap stage makes of one text.

    Args:
        logit: calibrated; 0 is even odds.
        window: the window that reads most like an attack, in the source; (0, 0) in an empty text.
    """

    logit: float
    window: tuple[int, int]


class InjectionModel:
    """Weights of the cheap stage. Immutable.

    Args:
        arrays: `ngram_weights` int8 (BUCKETS,), `ngram_scale` (unit, bias), `concept_weights` (columns, then bias), `stack`
            (weights of `STACKED`, then bias), `thresholds` in ppm (user, tool, document × English, other), `grey` in ppm
            (from, to), `mix` (weight of this stage's logit, of the encoder's, bias), `layout`.

    Raises:
        WeightsError: an array is missing or of another shape or layout.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        for name, shape in _SHAPES.items():
            if name not in arrays or arrays[name].shape != shape:
                have = "is missing" if name not in arrays else f"has shape {arrays[name].shape}, not {shape}"
                raise WeightsError(f"Injection weights: {name!r} {have}; make them again with `python -m training.injection`.")
        if int(arrays["layout"][0]) != LAYOUT:
            raise WeightsError(
                f"Injection weights are of layout {arrays['layout'][0]}, not {LAYOUT}; make them again with `python -m training.injection`."
            )
        self._ngrams = arrays["ngram_weights"].astype(np.int8)
        self._unit, self._ngram_bias = (float(value) for value in arrays["ngram_scale"])
        concepts = arrays["concept_weights"].astype(np.float32)
        self._concepts, self._concept_bias = concepts[:-1], float(concepts[-1])
        self._stack = arrays["stack"].astype(np.float64)
        self._thresholds = arrays["thresholds"].astype(np.int64)
        self.grey = (int(arrays["grey"][0]), int(arrays["grey"][1]))
        self._mix = tuple(float(value) for value in arrays["mix"])

    def threshold_ppm(self, role: Role, english: bool) -> int:
        """Score from which a text of this role and language is taken for an attack unless a policy says otherwise."""
        return int(self._thresholds[_ROLES[role], 0 if english else 1])

    def judge(self, view: View, role: Role) -> Cheap:
        """Weigh one text of a role."""
        windows = list(view.windows())
        parts = np.array([self.parts(window) for window in windows])
        best = windows[int(parts.sum(1).argmax())]
        logit = float(self._stack[:-1] @ stacked(parts, view.hits, order_strength(view.source, role)) + self._stack[-1])
        span = view.source_span(best) if best.end > best.start else (0, 0)
        return Cheap(logit, span)

    def parts(self, window: Window) -> tuple[float, float]:
        """Logits of the two linear models over one window."""
        size = max(1, window.columns.size)
        ngrams = int(self._ngrams[window.columns].sum(dtype=np.int64)) * self._unit / math.sqrt(size) + self._ngram_bias
        concepts = float(self._concepts[window.concepts] @ window.values) + self._concept_bias
        return ngrams, concepts

    def mixed(self, logit: float, probability: float) -> float:
        """This stage's logit and the encoder's probability as one logit."""
        bounded = min(max(probability, 1e-6), 1 - 1e-6)
        own, other, bias = self._mix
        return own * logit + other * math.log(bounded / (1 - bounded)) + bias


def stacked(parts: npt.NDArray[np.float64], hits: list[Hit], order: float) -> npt.NDArray[np.float64]:
    """What the last model weighs, in the order of `STACKED`.

    Args:
        parts: logits of both linear models; shape (windows, 2).
        hits: of rules.
        order: strength of an order in data.
    """
    rule = max((hit[3] for hit in hits), default=0) / 1_000_000
    families = {hit[2].partition("/")[2].partition("+")[0].partition("_")[0] for hit in hits}
    worst, mean = parts.max(0), parts.mean(0)
    return np.array([worst[0], mean[0], worst[1], mean[1], rule, float(rule >= 0.5), float(rule >= 0.8), min(3, len(families)), order])
