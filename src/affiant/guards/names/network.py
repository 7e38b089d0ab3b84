"""The tagger's network, forward only: rows summed to token vectors, three narrow convolutions, tag probabilities.

Each layer reads tokens at fixed offsets; to the right they add up to `LOOKBACK_TOKENS`, so what a token is called is
settled once that many more are known. Shapes: T tokens, D embedding width, H hidden width. Leaves out: training
(`training/names`), which shares these offsets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affiant.guards.names.features import LOWER, OTHER, TITLE, UPPER, Features

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

OFFSETS = ((-1, 0, 1), (-2, -1, 0, 1), (-3, -1, 0, 1))
LOOKBACK_TOKENS = sum(max(layer) for layer in OFFSETS)
TAGS = ("O", "B-PERSON", "I-PERSON", "B-LOCATION", "I-LOCATION", "B-ORGANIZATION", "I-ORGANIZATION")
_REGIME_LEFT = 40
_ONE_THREAD = 250_000  # multiply-adds; OpenBLAS goes parallel above 262,144


def context_rows(features: Sequence[Features], glue: Sequence[int]) -> Ints:
    """One row per token for where it stands: spacing, case of the text around, sentence start. int32 [T]."""
    cases = np.fromiter((feature.case for feature in features), np.int8, len(features))
    ends = np.fromiter((feature.ends for feature in features), np.bool_, len(features))
    spacing = np.asarray(glue, np.int32)
    counts = [np.concatenate([[0], np.cumsum(cases == case)]) for case in (LOWER, UPPER, TITLE)]
    stop = np.minimum(np.arange(len(cases)) + LOOKBACK_TOKENS + 1, len(cases))
    start = np.maximum(np.arange(len(cases)) - _REGIME_LEFT, 0)
    lower, upper, title = (count[stop] - count[start] for count in counts)
    words = np.maximum(lower + upper + title, 1)
    regime = np.where(upper * 10 > words * 6, 3, np.where(lower == words, 0, np.where(title * 10 > words * 6, 2, 1))).astype(np.int32)
    first = np.ones(len(cases), np.int32)
    first[1:] = (ends[:-1] & (cases[1:] != OTHER)) | (spacing[1:] >= 2)
    return (spacing * 4 + regime) * 2 + first


def shifted(hidden: Floats, offsets: Sequence[int]) -> Floats:
    """Rows at each offset side by side, zero beyond the ends. [T, H] → [T, len(offsets) * H]."""
    length, width = hidden.shape
    out = np.zeros((length, len(offsets) * width), np.float32)
    for index, offset in enumerate(offsets):
        columns = slice(index * width, (index + 1) * width)
        if offset == 0:
            out[:, columns] = hidden
        elif 0 < offset < length:
            out[:-offset, columns] = hidden[offset:]
        elif -length < offset < 0:
            out[-offset:, columns] = hidden[:offset]
    return out


def times(left: Floats, right: Floats) -> Floats:
    """`left @ right`, [T, K] and [K, N] → [T, N], in slices so small that a BLAS library starts no threads for them.

    Threads gain nothing at these sizes, and their waiting burns CPU time wherever cores are shared.
    """
    length, inner = left.shape
    slice_rows = max(1, _ONE_THREAD // (inner * right.shape[1]))
    count = -(-length // slice_rows)
    padded = np.zeros((count * slice_rows, inner), np.float32)
    padded[:length] = left
    return np.asarray((padded.reshape(count, slice_rows, inner) @ right).reshape(-1, right.shape[1])[:length], np.float32)


class Network:
    """Weights and the forward pass.

    Args:
        table: embedding rows, [rows, D].
        project: word vectors to embeddings, [2 * dims, D].
        layers: per convolution a matrix [len(offsets) * width in, H] and a bias [H].
        out: matrix [H, tags] and bias [tags].
    """

    def __init__(self, table: Floats, project: Floats, layers: Sequence[tuple[Floats, Floats]], out: tuple[Floats, Floats]) -> None:
        self.table, self.project, self.layers, self.out = table, project, tuple(layers), out

    def embed(self, feature: Features) -> Floats:
        """A token's vector without its context row, [D]."""
        return np.asarray(feature.weights @ self.table[feature.rows] + feature.vector @ self.project, np.float32)

    def probabilities(self, embedded: Floats, context: Ints) -> Floats:
        """Tag probabilities, [T, D] and [T] → [T, tags]."""
        hidden = embedded + self.table[context]
        for (weight, bias), offsets in zip(self.layers, OFFSETS, strict=True):
            grown = np.maximum(times(shifted(hidden, offsets), weight) + bias, 0)
            hidden = grown if grown.shape[1] != hidden.shape[1] else hidden + grown
        scores = times(hidden, self.out[0]) + self.out[1]
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)
