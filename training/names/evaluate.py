"""Precision, recall and F1 of spans: by overlap (same type, any shared character) and strict (same type and offsets)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from affiant.guards.scan import Found
from training.names.examples import TYPES, Example

Finder = Callable[[str], Sequence[Found]]
Counts = tuple[int, int, int, int]  # predicted, predicted and right, annotated, annotated and found


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of one type."""

    precision: float
    recall: float
    f1: float


def score(counts: Sequence[Counts]) -> Score:
    """Shares over all texts; 0 where there is nothing to divide by."""
    predicted, right, annotated, found = (sum(count[i] for count in counts) for i in range(4))
    precision, recall = right / predicted if predicted else 0.0, found / annotated if annotated else 0.0
    return Score(precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0)


def interval(counts: Sequence[Counts], seed: int = 0, draws: int = 200) -> tuple[float, float]:
    """95 % interval of F1 by drawing texts anew."""
    rng = random.Random(seed)
    values = sorted(score(rng.choices(counts, k=len(counts))).f1 for _ in range(draws))
    return values[int(draws * 0.025)], values[int(draws * 0.975)]


def count(example: Example, found: Sequence[Found], kind: str, strict: bool = False) -> Counts:
    """Counts of one type in one text; what touches an unclear annotation counts neither way."""
    wanted = [(span.start, span.end) for span in example.spans if span.type == kind]
    unclear = [(span.start, span.end) for span in example.spans if span.type == "ANY" or (span.type == "ADDRESS" and kind == "LOCATION")]
    given = [(span.start, span.end) for span in found if span.type == kind]
    given = [g for g in given if not any(g[0] < u[1] and u[0] < g[1] for u in unclear)]

    def hits(one: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
        return one in others if strict else any(one[0] < other[1] and other[0] < one[1] for other in others)

    return len(given), sum(hits(g, wanted) for g in given), len(wanted), sum(hits(w, given) for w in wanted)


def table(examples: Sequence[Example], find: Finder, strict: bool = False) -> dict[str, list[Counts]]:
    """Counts per text, by type; a type that a text does not annotate is left out."""
    counts: dict[str, list[Counts]] = {kind: [] for kind in TYPES}
    for example in examples:
        found = find(example.text)
        for kind in TYPES:
            if kind in example.types:
                counts[kind].append(count(example, found, kind, strict))
    return counts
