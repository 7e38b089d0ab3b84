"""Groundedness: is each sentence of an answer supported by the context that was supplied?

`Grounded.judge` gives one score for the answer and one for each sentence, in parts per million: 0 is well supported, 1,000,000 is
not supported at all. What is measured is agreement with the context, never truth. Leaves out: reading the weights from a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affiant.guards.grounded import sentences
from affiant.guards.grounded.align import ContextIndex
from affiant.guards.grounded.features import NAMES, Reading, claim_features, read
from affiant.guards.grounded.frame import frames
from affiant.guards.grounded.line import ARRAYS, Line
from affiant.guards.grounded.trees import Trees, probability
from affiant.guards.grounded.vectors import WordVectors, word_key
from affiant.guards.grounded.words import Reader, Word, guess_language

FULL = 1_000_000
MAX_CONTEXT = 2_000_000
MAX_ANSWER = 200_000
_NUMBER_WEIGHT = 0.7
_BATCH = 256
_ASKS = re.compile(r"[?？؟]")
_KNOWN_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class SentenceScore:
    """One sentence of an answer.

    Args:
        start: str offset in the answer, inclusive.
        end: exclusive.
        ungrounded_ppm: how little the context supports it.
    """

    start: int
    end: int
    ungrounded_ppm: int


@dataclass(frozen=True, slots=True)
class Groundedness:
    """What was found out about one answer.

    Args:
        ungrounded_ppm: of the whole answer.
        sentences: each of its sentences that claims something, in order; what only frames an answer is left out (`frame`).
        threshold_ppm: above it a text counts as unsupported.
        complete: False where the answer or the context was longer than what is looked at.
    """

    ungrounded_ppm: int
    sentences: tuple[SentenceScore, ...]
    threshold_ppm: int
    complete: bool = True

    @property
    def supported(self) -> bool:
        """Whether the answer as a whole counts as supported."""
        return self.ungrounded_ppm <= self.threshold_ppm

    @property
    def unsupported(self) -> tuple[SentenceScore, ...]:
        """The sentences that count as unsupported."""
        return tuple(sentence for sentence in self.sentences if sentence.ungrounded_ppm > self.threshold_ppm)


class Grounded:
    """The trained model.

    Args:
        arrays: those of `Trees` and of `Line`, those of `WordVectors` as `word_keys`, `word_rows`, `word_table`; `weights` uint8 (2**k,):
            the weight of a stem at `word_key(stem) % 2**k`, 255 is 1; `default` float32 (1,): the default threshold, a probability.

    Raises:
        ValueError: an array is missing or does not fit.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        trees = ("feature", "threshold", "left", "right", "value", "bias")
        needed = (*trees, *ARRAYS, "word_keys", "word_rows", "word_table", "weights", "default")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise ValueError(f"the groundedness weights lack {', '.join(missing)}; take the weights that came with this version")
        self._trees, self._line = Trees(arrays, len(NAMES)), Line(arrays, len(NAMES))
        self._vectors = WordVectors(
            arrays["word_keys"].astype(np.uint32), arrays["word_rows"].astype(np.uint16), arrays["word_table"].astype(np.int8)
        )
        self._table: list[float] = (arrays["weights"].astype(np.float64) / 255.0).tolist()
        self._known: dict[str, float] = {}
        self.threshold_ppm = round(float(arrays["default"].astype(np.float64)[0]) * FULL)

    def weigh(self, stem: str) -> float:
        """The weight of a stem, 0..1: words that are rare everywhere say more."""
        known = self._known.get(stem)
        if known is None:
            known = _NUMBER_WEIGHT if stem[:1] == "#" else self._table[word_key(stem) % len(self._table)]
            if len(self._known) < _KNOWN_LIMIT:
                self._known[stem] = known
        return known

    def judge(self, answer: str, context: str, question: str = "") -> Groundedness:
        """Hold an answer against its context. An answer without words is supported; an empty context supports nothing.

        Args:
            answer: what the model wrote.
            context: what it was given: passages joined by blank lines.
            question: the last thing the user asked, if known.
        """
        complete = len(answer) <= MAX_ANSWER and len(context) <= MAX_CONTEXT
        spans, read_ = self._read(answer[:MAX_ANSWER], context[:MAX_CONTEXT], question[:MAX_ANSWER])
        if not spans:
            return Groundedness(0, (), self.threshold_ppm, complete)
        if not read_.index.words:
            return Groundedness(FULL, tuple(SentenceScore(a, b, FULL) for a, b in spans), self.threshold_ppm, complete)
        rows = [read_.whole()] if len(spans) == 1 else [read_.whole(), *read_.each()]
        scores = self._scores(rows)
        each = scores[1:] or scores
        found = tuple(SentenceScore(start, end, score) for (start, end), score in zip(spans, each, strict=True))
        return Groundedness(scores[0], found, self.threshold_ppm, complete)

    def vector(self, answer: str, context: str, question: str = "") -> list[float] | None:
        """The features of a whole answer, in the order of `NAMES`; None where there is nothing to compare. Training reads these."""
        spans, read_ = self._read(answer[:MAX_ANSWER], context[:MAX_CONTEXT], question[:MAX_ANSWER])
        return read_.whole() if spans and read_.index.words else None

    def _scores(self, rows: list[list[float]]) -> list[int]:
        scores: list[int] = []
        for start in range(0, len(rows), _BATCH):
            batch = np.asarray(rows[start : start + _BATCH], dtype=np.float32)
            odds = (self._trees.log_odds(batch) + self._line.log_odds(batch)) / 2
            scores.extend(round(score * FULL) for score in probability(odds).tolist())
        return scores

    def _read(self, answer: str, context: str, question: str) -> tuple[list[tuple[int, int]], _Read]:
        reader = Reader(guess_language(context))
        index = ContextIndex([reader.words(context, *span) for span in sentences.split(context)], self.weigh, self._vectors)
        spans, texts, readings = [], [], []
        said = [(span, words) for span in sentences.split(answer) if (words := reader.words(answer, *span))]
        claims = [each for each in said if not frames(answer, *each[0])]
        for span, words in claims or said:
            spans.append(span)
            texts.append(words)
            readings.append(read(words, index, bool(_ASKS.search(answer, *span))))
        return spans, _Read(index, texts, readings, reader.words(question))


@dataclass(frozen=True, slots=True)
class _Read:
    """An answer and its context, read."""

    index: ContextIndex
    texts: list[list[Word]]
    readings: list[Reading]
    question: list[Word]

    def whole(self) -> list[float]:
        return claim_features(self.readings, self.texts, self.index, self.question)

    def each(self) -> list[list[float]]:
        return [
            claim_features([reading], [text], self.index, self.question) for reading, text in zip(self.readings, self.texts, strict=True)
        ]
