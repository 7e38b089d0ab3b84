"""Scores of texts by the encoder: the highest window counts, in parts per million, with the place of that window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from affiant.guards.encoder.windows import MOST, OVERLAP, PIECES, Window, windows

FULL = 1_000_000
BATCH = 1
"""Windows of one run of the network. An int8 network scales its activations over a whole run, so that a window's score would
depend on its neighbours in a batch; alone, the same window always scores the same, and one core is busy either way."""
LONGEST_TEXT = 65_536
"""Characters that are tokenized at most; of a longer text its first and last halves of that are."""
_STEEPEST = 60.0

Encoded = tuple[Sequence[int], Sequence[tuple[int, int]]]
"""Word pieces of a text without marks at its ends, and the characters (start, end exclusive) of each."""
Tokenize = Callable[[str], Encoded]
Logits = Callable[[Sequence[Sequence[int]], Sequence[int]], Sequence[float]]
"""Rows of ids (marks included) and the token type of each row (1: from a tool or document) -> one logit a row."""


class EncoderScore(NamedTuple):
    """What the encoder says of a text.

    Args:
        ppm: calibrated by nothing but the sigmoid; 0..1 000 000.
        start: first character of the window that scored highest.
        end: character after its last one.
        windows: how many windows were scored.
        whole: whether all of the text was read.
    """

    ppm: int
    start: int
    end: int
    windows: int
    whole: bool


_NOTHING = EncoderScore(0, 0, 0, 0, True)


class _Job(NamedTuple):
    text: int
    ids: list[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder ready to score.

    Args:
        tokenize: word pieces of a text with their places.
        logits: the network.
        first: id of the mark before a window.
        last: id of the mark after it.
        size: word pieces of a window.
        overlap: word pieces that neighbours share.
        most: windows of one text at most.
        batch: windows of one run of the network.
    """

    tokenize: Tokenize
    logits: Logits
    first: int
    last: int
    size: int = PIECES
    overlap: int = OVERLAP
    most: int = MOST
    batch: int = BATCH

    def score(self, text: str, *, data: bool = False) -> EncoderScore:
        """Score of one text. `data`: it came from a tool or a document, not from a person."""
        return self.scores([(text, data)])[0]

    def scores(self, texts: Sequence[tuple[str, bool]]) -> list[EncoderScore]:
        """Scores of (text, `data`) pairs, in their order; windows of several texts share runs of the network.

        Raises ValueError when the network gives another number of logits than rows, or one that is no number.
        """
        jobs: list[_Job] = []
        counts, wholes = [0] * len(texts), [True] * len(texts)
        for index, (text, _) in enumerate(texts):
            found, wholes[index] = self._windows(index, text)
            counts[index] = len(found)
            jobs += found
        best: list[EncoderScore] = [_NOTHING] * len(texts)
        for job, logit in zip(*self._run(jobs, [data for _, data in texts]), strict=True):
            ppm = _ppm(logit)
            if best[job.text].windows == 0 or ppm > best[job.text].ppm:
                best[job.text] = EncoderScore(ppm, job.start, job.end, counts[job.text], True)
        return [score._replace(whole=whole) for score, whole in zip(best, wholes, strict=True)]

    def _windows(self, index: int, text: str) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        whole = len(text) <= LONGEST_TEXT
        half = LONGEST_TEXT // 2
        parts = [(0, text)] if whole else [(0, text[:half]), (len(text) - half, text[-half:])]
        for offset, part in parts:
            ids, places = self.tokenize(part)
            cut, covered = windows(len(ids), size=self.size, overlap=self.overlap, most=max(1, self.most // len(parts)))
            whole = whole and covered
            jobs += [self._job(index, offset, ids, places, window) for window in cut]
        return jobs, whole

    def _job(self, index: int, offset: int, ids: Sequence[int], places: Sequence[tuple[int, int]], window: Window) -> _Job:
        row = [self.first, *ids[window.start : window.end], self.last]
        return _Job(index, row, offset + places[window.start][0], offset + places[window.end - 1][1])

    def _run(self, jobs: list[_Job], kinds: list[bool]) -> tuple[list[_Job], list[float]]:
        """The jobs by length, so that rows of a run need little padding, and their logits."""
        ordered = sorted(jobs, key=lambda job: len(job.ids))
        logits: list[float] = []
        for at in range(0, len(ordered), self.batch):
            part = ordered[at : at + self.batch]
            found = self.logits([job.ids for job in part], [int(kinds[job.text]) for job in part])
            if len(found) != len(part):
                raise ValueError(f"the encoder gave {len(found)} logits for {len(part)} windows; the model file does not fit this version")
            logits += [float(value) for value in found]
        return ordered, logits


def _ppm(logit: float) -> int:
    if math.isnan(logit):
        raise ValueError("the encoder gave a logit that is no number; the model file is damaged: run `make models` or reinstall")
    return round(FULL / (1 + math.exp(-max(-_STEEPEST, min(_STEEPEST, logit)))))
