"""Fits the cheap stage: linear models over n-grams and over concepts, then the last model over their maxima and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from affiant.guards.injection.data import order_strength
from affiant.guards.injection.model import LAYOUT, STACKED, stacked
from affiant.guards.injection.ngrams import BUCKETS
from affiant.guards.injection.rules import Hit
from affiant.guards.injection.views import CONCEPT_COLUMNS, View, Window
from affiant.guards.model import Role
from affiant.guards.text import Folded

NGRAM_C, CONCEPT_C, STACK_C = 3.0, 0.05, 1.0
MIN_SOURCES = 4
"""Sources that an n-gram must stand in: what only one source says tells that source, not an attack."""
MIN_TEXTS = 20
"""Texts that a pair of concepts must stand in."""

MIX = (1.0, 0.7, 1.0)
"""Weights of this stage's logit and of the encoder's, and bias: near what logistic regression gives on sources that neither stage
was trained on (gandalf, deepset, ASB, safeguard against HaluEval and hard benign sentences); between halves of these sources the
weights varied by a third, the figures by less than 0.01."""
MOST_ORDER = 3.0
"""Weight of an order in data at most: the benign documents here hold fewer polite requests than mails and manuals do."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Read:
    """A text as the models read it.

    Args:
        windows: all of its windows.
        hits: of rules.
        order: strength of an order in data.
    """

    windows: list[Window]
    hits: list[Hit]
    order: float


def read(text: str, role: str) -> Read:
    """What the models read of a text as it stands."""
    view = View(Folded(text))
    return Read(list(view.windows()), view.hits, order_strength(text, Role(role)))


def entire(text: str) -> Window:
    """A text as one window, however long: rows to learn from are cut already."""
    return View(Folded(text)).entire()


@dataclass(frozen=True, slots=True)
class Linear:
    """Both linear models.

    Args:
        ngrams: weights; shape (BUCKETS,).
        ngram_bias: of them.
        concepts: weights; shape (CONCEPT_COLUMNS,).
        concept_bias: of them.
    """

    ngrams: Floats
    ngram_bias: float
    concepts: Floats
    concept_bias: float

    def parts(self, window: Window) -> tuple[float, float]:
        """Logits over one window, as `InjectionModel.parts` gives them."""
        grams = float(self.ngrams[window.columns].sum()) / np.sqrt(max(1, window.columns.size)) + self.ngram_bias
        return float(grams), float(self.concepts[window.concepts] @ window.values) + self.concept_bias

    def features(self, text: Read) -> Floats:
        """What the last model weighs of a text."""
        return stacked(np.array([self.parts(window) for window in text.windows]), text.hits, text.order)


def linear(windows: Sequence[Window], labels: Ints, weights: Floats, sources: Ints) -> Linear:
    """Fit both models to windows.

    Args:
        windows: one a row.
        labels: 0 or 1; shape (rows,).
        weights: shape (rows,).
        sources: number of each row's source; shape (rows,).
    """
    grams = _sparse([window.columns for window in windows], None, BUCKETS)
    kept = np.flatnonzero(_sources(grams, sources) >= MIN_SOURCES)
    counts = np.maximum(1, np.diff(grams.indptr))
    model = _logistic(sp.diags(1 / np.sqrt(counts)) @ grams[:, kept], labels, weights, NGRAM_C)
    ngrams = np.zeros(BUCKETS)
    ngrams[kept] = model.coef_[0]
    concepts = _sparse([window.concepts for window in windows], [window.values for window in windows], CONCEPT_COLUMNS)
    often = np.flatnonzero(np.asarray((concepts > 0).sum(0)).ravel() >= MIN_TEXTS)
    second = _logistic(concepts[:, often], labels, weights, CONCEPT_C)
    spread = np.zeros(CONCEPT_COLUMNS)
    spread[often] = second.coef_[0]
    return Linear(ngrams, float(model.intercept_[0]), spread, float(second.intercept_[0]))


def last(features: Floats, labels: Ints, weights: Floats) -> Floats:
    """Weights of the last model, none below nought, then its bias; shape (STACKED + 1,)."""
    spread = features.std(0)
    spread[spread == 0] = 1
    scaled = np.hstack([features / spread, np.ones((len(features), 1))])
    signs = np.where(labels == 1, 1.0, -1.0)

    def loss(values: Floats) -> tuple[float, Floats]:
        margins = signs * (scaled @ values)
        error = -weights * signs / (1 + np.exp(np.clip(margins, -30, 30)))
        penalty = values[:-1] / STACK_C
        gradient = scaled.T @ error + np.append(penalty, 0.0)
        return float(weights @ np.logaddexp(0, -margins) + 0.5 * STACK_C * penalty @ penalty), gradient

    most = {STACKED.index("order in data"): MOST_ORDER}
    bounds = [(0.0, most[place] * spread[place] if place in most else None) for place in range(features.shape[1])] + [(None, None)]
    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return np.append(found[:-1] / spread, found[-1])


def arrays(model: Linear, stack: Floats, thresholds: Ints, grey: tuple[int, int]) -> dict[str, npt.NDArray[np.generic]]:
    """The weights as they are shipped: n-grams in 8 bits."""
    unit = float(np.quantile(np.abs(model.ngrams[model.ngrams != 0]), 0.9995)) / 127
    quantized = np.clip(np.round(model.ngrams / unit), -127, 127).astype(np.int8)
    assert len(stack) == len(STACKED) + 1
    return {
        "layout": np.array([LAYOUT], dtype=np.int32),
        "ngram_weights": quantized,
        "ngram_scale": np.array([unit, model.ngram_bias], dtype=np.float32),
        "concept_weights": np.append(model.concepts, model.concept_bias).astype(np.float32),
        "stack": stack.astype(np.float32),
        "thresholds": thresholds.astype(np.int32),
        "grey": np.array(grey, dtype=np.int32),
        "mix": np.array(MIX, dtype=np.float32),
    }


def _logistic(matrix: Any, labels: Ints, weights: Floats, c: float) -> Any:
    model = LogisticRegression(C=c, solver="liblinear", max_iter=60, tol=2e-3, random_state=0)
    return model.fit(matrix, labels, sample_weight=weights)


def _sparse(columns: Sequence[npt.NDArray[Any]], values: Sequence[npt.NDArray[Any]] | None, width: int) -> Any:
    starts = np.concatenate([[0], np.cumsum([len(one) for one in columns])])
    data = np.ones(starts[-1], np.float32) if values is None else np.concatenate(values)
    return sp.csr_matrix((data, np.concatenate(columns).astype(np.int32), starts), shape=(len(columns), width))


def _sources(matrix: Any, sources: Ints) -> Ints:
    """In how many sources each column stands."""
    rows = len(sources)
    by = sp.csr_matrix((np.ones(rows, np.float32), (sources, np.arange(rows))), shape=(int(sources.max()) + 1, rows))
    return np.asarray(((by @ matrix) > 0).sum(0)).ravel()
