"""Annotated texts as the arrays that one training step reads."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from affiant.guards.names.features import FIXED_ROWS, FLAG_BASE, LOWER, OTHER, UNLISTED, Features, Featurizer
from affiant.guards.names.network import TAGS, context_rows
from affiant.guards.names.tokens import cut
from training.names.examples import TYPES, Example

PAD = 3  # empty tokens after each text, zero in every layer: no layer reads across them
_BITS = {tag: 1 << index for index, tag in enumerate(TAGS)}
_ALL = (1 << len(TAGS)) - 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text.

    Args:
        features: per token.
        context: row per token, int32 [T].
        allowed: bit set of the tags each token may have.
    """

    features: list[Features]
    context: NDArray[np.int32]
    allowed: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's texts, with `PAD` empty tokens after each.

    Args:
        rows: features by token, sparse [T, rows].
        vectors: word vectors, [T, 2 * dims].
        real: 1 for tokens, 0 for padding, [T, 1].
        allowed: 0/1 by token and tag, [T, tags].
    """

    rows: csr_matrix
    vectors: NDArray[np.float32]
    real: NDArray[np.float32]
    allowed: NDArray[np.float32]


def encode(example: Example, featurize: Featurizer) -> Encoded:
    """Tokens with their features and allowed tags."""
    tokens = cut(example.text, featurize.lexicon.han)
    features = [featurize(key) for key in tokens.keys]
    open_bits = 0
    for kind in set(TYPES) - example.types:
        open_bits |= _BITS[f"B-{kind}"] | _BITS[f"I-{kind}"]
    allowed = np.full(len(features), 1, np.uint8)
    if open_bits:
        allowed[[feature.case not in (LOWER, OTHER) for feature in features]] |= open_bits
    spans, position = example.spans, 0
    for index, (start, end) in enumerate(zip(tokens.starts, tokens.ends, strict=True)):
        while position < len(spans) and spans[position].end <= start:
            position += 1
        if position == len(spans) or spans[position].start >= end:
            continue
        span = spans[position]
        if span.type == "ANY":
            allowed[index] = _ALL
        elif span.type == "ADDRESS":
            allowed[index] = 1 | _BITS["B-LOCATION"] | _BITS["I-LOCATION"]
        else:
            first = index == 0 or tokens.ends[index - 1] <= span.start
            allowed[index] = _BITS[f"{'B' if first else 'I'}-{span.type}"]
    return Encoded(features, context_rows(features, tokens.glue) if features else np.zeros(0, np.int32), allowed)


@dataclass(frozen=True, slots=True)
class Hiding:
    """How often features are hidden in training, so that the tagger leans on none of them alone."""

    word: float = 0.4
    lists: float = 0.15
    vector: float = 0.1
    other: float = 0.1


def assemble(texts: Sequence[Encoded], row_count: int, hiding: Hiding, rng: np.random.Generator) -> Batch:
    """The arrays of one step."""
    length = sum(len(text.features) + PAD for text in texts)
    real = np.zeros((length, 1), np.float32)
    allowed = np.ones((length, len(TAGS)), np.float32)
    counts = np.zeros(length, np.int64)
    rows: list[NDArray[np.int32]] = []
    weights: list[NDArray[np.float32]] = []
    contexts: list[NDArray[np.int32]] = []
    places: list[NDArray[np.int64]] = []
    vectors = np.zeros((length, texts[0].features[0].vector.size), np.float32)
    position = 0
    for text in texts:
        size = len(text.features)
        span = slice(position, position + size)
        real[span] = 1
        allowed[span] = (text.allowed[:, None] >> np.arange(len(TAGS)) & 1).astype(np.float32)
        counts[span] = [feature.rows.size for feature in text.features]
        rows.extend(feature.rows for feature in text.features)
        weights.extend(feature.weights for feature in text.features)
        vectors[span] = [feature.vector for feature in text.features]
        contexts.append(text.context)
        places.append(np.arange(position, position + size))
        position += size + PAD
    row, weight = np.concatenate(rows), np.concatenate(weights)
    token = np.repeat(np.arange(length), counts)
    hidden_lists = rng.random(length) < hiding.lists
    hide = np.where(row >= FIXED_ROWS, rng.random(row.size) < hiding.word, rng.random(row.size) < hiding.other)
    listed = (row >= FLAG_BASE) & (row < FIXED_ROWS)
    hide = np.where(listed, hidden_lists[token] & (row != UNLISTED), hide)
    vectors *= rng.random((length, 1)) >= hiding.vector
    place = np.concatenate(places)
    unlisted = place[hidden_lists[place]]
    all_rows = np.concatenate([row[~hide], np.concatenate(contexts), np.full(unlisted.size, UNLISTED, np.int32)])
    all_tokens = np.concatenate([token[~hide], place, unlisted])
    all_weights = np.concatenate([weight[~hide], np.ones(place.size + unlisted.size, np.float32)])
    matrix = csr_matrix((all_weights, (all_tokens, all_rows)), shape=(length, row_count), dtype=np.float32)
    return Batch(matrix, vectors, real, allowed)


def batches(texts: Sequence[Encoded], tokens: int, row_count: int, hiding: Hiding, seed: int) -> Iterator[Batch]:
    """One pass over the texts in chance order, about `tokens` tokens a batch."""
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    rng = np.random.default_rng(seed)
    taken: list[Encoded] = []
    size = 0
    for index in order:
        if not texts[index].features:
            continue
        taken.append(texts[index])
        size += len(texts[index].features)
        if size >= tokens:
            yield assemble(taken, row_count, hiding, rng)
            taken, size = [], 0
    if taken:
        yield assemble(taken, row_count, hiding, rng)
