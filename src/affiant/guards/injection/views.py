"""What the model reads of a text: windows, the n-grams of each, and the concepts that stand in it and near each other.

A planted sentence is a small part of a document, so each window is weighed by itself. Leaves out: weights (`model`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affiant.guards.injection.concepts import CONCEPTS, SHARED
from affiant.guards.injection.lexicon import Seen, automaton
from affiant.guards.injection.ngrams import Columns, grams
from affiant.guards.injection.rules import Hit, Squeezed, judged
from affiant.guards.text import Folded

WINDOW, STRIDE = 480, 240
"""Characters of a window, and from one to the next."""
MOST = 160
"""Windows of one text at most; of more, those with the most telling words, and a quarter spread evenly."""
NEAR = 80
"""Characters within which two concepts count as near each other."""
_FOLLOWERS = 12
_NUMBERS = {concept: number for number, concept in enumerate(CONCEPTS)}
_TELLING = frozenset(_NUMBERS[concept] for concept in SHARED)
KINDS = len(CONCEPTS)
CONCEPT_COLUMNS = 2 * KINDS + KINDS * KINDS
"""Columns: each concept's presence, its density, and each ordered pair of concepts near each other."""

Spots = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Window:
    """One window as the model reads it.

    Args:
        start: character of the squeezed text.
        end: exclusive.
        columns: distinct n-grams.
        concepts: columns of concepts that are not nought.
        values: of these columns.
    """

    start: int
    end: int
    columns: Columns
    concepts: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


class View:
    """One text, its windows and the hits of rules in it.

    Args:
        folded: the text.
    """

    def __init__(self, folded: Folded) -> None:
        self.squeezed = Squeezed(folded.text)
        self._folded = folded
        seen = automaton().see(self.squeezed.text)
        self.hits: list[Hit] = judged(folded, self.squeezed, seen)
        self._spots = _spots(seen)
        self._starts = [place for place, _ in self._spots]

    def windows(self) -> Iterator[Window]:
        """The windows of the text; at least one."""
        text = self.squeezed.text
        chosen = self._chosen(len(text))
        if len(text) <= WINDOW * MOST:
            found = grams(text)
            for start, end in chosen:
                yield self._window(start, end, found.within(start, end))
            return
        for start, end in chosen:
            yield self._window(start, end, grams(text[start:end]).within(0, end - start))

    @property
    def source(self) -> str:
        """The text as it came."""
        return self._folded.source

    def entire(self) -> Window:
        """The text as one window."""
        text = self.squeezed.text
        return self._window(0, len(text), grams(text).within(0, len(text)))

    def source_span(self, window: Window) -> tuple[int, int]:
        """Where a window that is not empty stands in the source."""
        return self._folded.span(*self.squeezed.span(window.start, window.end))

    def _chosen(self, length: int) -> list[tuple[int, int]]:
        starts = range(0, max(1, length - WINDOW + STRIDE), STRIDE)
        spans = [(start, min(length, start + WINDOW)) for start in starts]
        if len(spans) <= MOST:
            return spans
        told = np.zeros(len(spans) + 2, dtype=np.int64)
        for place, kind in self._spots:
            if kind in _TELLING:
                told[min(place // STRIDE, len(spans))] += 1
        weight = told[: len(spans)].copy()
        weight[1:] += told[: len(spans) - 1]
        best = np.argsort(-weight, kind="stable")[: MOST - MOST // 4]
        even = np.linspace(0, len(spans) - 1, MOST // 4).astype(np.int64)
        return [spans[number] for number in sorted({*best.tolist(), *even.tolist()})]

    def _window(self, start: int, end: int, columns: Columns) -> Window:
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        concepts, values = _concepts(self._spots[first:last], end - start)
        return Window(start, end, columns, concepts, values)


def _spots(seen: Seen) -> Spots:
    """Places and numbers of concepts, in order, whatever the language."""
    return sorted((word.start, _NUMBERS[word.kind]) for words in seen.words.values() for word in words)


def _concepts(spots: Sequence[tuple[int, int]], length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    counts: dict[int, int] = {}
    near: set[int] = set()
    for number, (place, kind) in enumerate(spots):
        counts[kind] = counts.get(kind, 0) + 1
        for other, follower in spots[number + 1 : number + 1 + _FOLLOWERS]:
            if other - place > NEAR:
                break
            near.add(2 * KINDS + kind * KINDS + follower)
    per = 100 / max(20, length)
    values = [1.0] * len(counts) + [math.log1p(count * per) for count in counts.values()] + [1.0] * len(near)
    columns = [*counts, *(KINDS + kind for kind in counts), *near]
    return np.array(columns, dtype=np.int64), np.array(values, dtype=np.float32)
