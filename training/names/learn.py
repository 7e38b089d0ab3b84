"""Gradients and steps for the tagger's network, in numpy.

Loss: minus the log of the probability of all tags a token may have, so that a source which marks persons only says nothing
about organizations. Adam, with rows of the embedding table stepped only when met; the weights given out are a running mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from affiant.guards.names.features import FIXED_ROWS
from affiant.guards.names.network import OFFSETS, TAGS, Network, shifted
from training.names.batches import Batch

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Size:
    """Widths: of embeddings and of hidden layers."""

    embedding: int = 64
    hidden: int = 96


def unshifted(gradient: Floats, offsets: tuple[int, ...], width: int) -> Floats:
    """The transpose of `shifted`: [T, len(offsets) * H] → [T, H]."""
    length = gradient.shape[0]
    out = np.zeros((length, width), np.float32)
    for index, offset in enumerate(offsets):
        part = gradient[:, index * width : (index + 1) * width]
        if offset == 0:
            out += part
        elif 0 < offset < length:
            out[offset:] += part[:-offset]
        elif -length < offset < 0:
            out[:offset] += part[-offset:]
    return out


class Learner:
    """Weights under training.

    Args:
        words: frequent words, whose rows follow the fixed ones.
        dims: of one word vector.
        size: widths.
        seed: of the first weights and of dropout.
    """

    def __init__(self, words: int, dims: int, size: Size, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.row_count = FIXED_ROWS + words
        width, hidden = size.embedding, size.hidden
        self.weights: dict[str, Floats] = {
            "table": self._first(self.row_count, width, 0.05),
            "project": self._first(2 * dims, width, 0.3 / (2 * dims) ** 0.5),
            "out": self._first(hidden, len(TAGS), hidden**-0.5),
            "out_bias": np.zeros(len(TAGS), np.float32),
        }
        for index, offsets in enumerate(OFFSETS):
            inputs = len(offsets) * (width if index == 0 else hidden)
            self.weights[f"layer{index}"] = self._first(inputs, hidden, (2 / inputs) ** 0.5)
            self.weights[f"bias{index}"] = np.zeros(hidden, np.float32)
        self._mean = {name: value.copy() for name, value in self.weights.items()}
        self._moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in self.weights.items()}
        self._steps = 0

    def _first(self, rows: int, columns: int, scale: float) -> Floats:
        return (self._rng.standard_normal((rows, columns)) * scale).astype(np.float32)

    def _drop(self, shape: tuple[int, ...], share: float) -> Floats:
        return (self._rng.random(shape, np.float32) >= share).astype(np.float32) / np.float32(1 - share)

    def step(self, batch: Batch, rate: float, dropout: float = 0.15) -> float:
        """One step; returns the mean loss before it."""
        w = self.weights
        masks: list[Floats] = []
        inputs: list[Floats] = []
        grown: list[Floats] = []
        hidden = np.asarray(batch.rows @ w["table"] + batch.vectors @ w["project"], np.float32)
        for index, offsets in enumerate(OFFSETS):
            mask = self._drop(hidden.shape, dropout) * batch.real
            masks.append(mask)
            inputs.append(shifted(hidden * mask, offsets))
            grown.append(np.maximum(inputs[-1] @ w[f"layer{index}"] + w[f"bias{index}"], 0))
            hidden = grown[-1] if hidden.shape[1] != grown[-1].shape[1] else hidden + grown[-1]
        scores = hidden @ w["out"] + w["out_bias"]
        scores -= scores.max(axis=1, keepdims=True)
        probability = np.exp(scores)
        probability /= probability.sum(axis=1, keepdims=True)
        wanted = probability * batch.allowed
        total = np.maximum(wanted.sum(axis=1, keepdims=True), 1e-9)
        tokens = float(batch.real.sum())
        loss = -float((np.log(total) * batch.real).sum()) / tokens
        change = (probability - wanted / total) * batch.real / np.float32(tokens)
        self._backward(batch, hidden, masks, inputs, grown, np.asarray(change, np.float32), rate)
        return loss

    def _backward(
        self, batch: Batch, hidden: Floats, masks: list[Floats], inputs: list[Floats], grown: list[Floats], change: Floats, rate: float
    ) -> None:
        w = self.weights
        gradient = {"out": hidden.T @ change, "out_bias": change.sum(axis=0)}
        back = change @ w["out"].T
        for index in reversed(range(len(OFFSETS))):
            through = back * (grown[index] > 0)
            gradient[f"layer{index}"] = inputs[index].T @ through
            gradient[f"bias{index}"] = through.sum(axis=0)
            below = unshifted(np.asarray(through @ w[f"layer{index}"].T, np.float32), OFFSETS[index], masks[index].shape[1]) * masks[index]
            back = below if below.shape[1] != back.shape[1] else back + below
        gradient["project"] = batch.vectors.T @ back
        self._steps += 1
        for name, value in gradient.items():
            self._adam(name, slice(None), np.asarray(value, np.float32), rate)
        self._table(batch.rows, back, rate)
        keep = np.float32(min(0.998, self._steps / (self._steps + 10)))
        for name, value in w.items():
            if name != "table" or self._steps % 8 == 0:
                share = keep if name != "table" else keep**8
                self._mean[name] += (1 - share) * (value - self._mean[name])

    def _adam(self, name: str, rows: slice | NDArray[np.int64], gradient: Floats, rate: float) -> None:
        first, second = self._moments[name]
        moved = first[rows] * np.float32(0.9) + gradient * np.float32(0.1)
        spread = second[rows] * np.float32(0.99) + gradient * gradient * np.float32(0.01)
        first[rows], second[rows] = moved, spread
        correct = (1 - 0.99**self._steps) ** 0.5 / (1 - 0.9**self._steps)
        self.weights[name][rows] -= np.float32(rate * correct) * moved / (np.sqrt(spread) + np.float32(1e-8))

    def _table(self, rows: csr_matrix, back: Floats, rate: float) -> None:
        met = np.unique(rows.indices).astype(np.int64)
        compact = csr_matrix((rows.data, np.searchsorted(met, rows.indices), rows.indptr), shape=(rows.shape[0], met.size))
        self._adam("table", met, np.asarray(compact.T @ back, np.float32), rate)

    def network(self) -> Network:
        """The mean weights as a network."""
        m = self._mean
        layers = [(m[f"layer{index}"], m[f"bias{index}"]) for index in range(len(OFFSETS))]
        return Network(m["table"], m["project"], layers, (m["out"], m["out_bias"]))
