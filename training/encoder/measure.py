"""Figures of a detector on rows it was not trained on: AUC, hits at a stated share of false alarms, recall at 5 % over-defence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.injection.data import Row

HARD = "hard_benign"
"""Source of benign sentences round trigger words, written by hand for measuring only: "5 % over-defence" means on them."""


def hard_rows() -> list[Row]:
    """The sentences of hard_benign.txt as rows of weight 0."""
    lines = Path(__file__).with_name(f"{HARD}.txt").read_text(encoding="utf-8").splitlines()
    return [Row(line, 0, HARD, "lookalike", "en", "user", 0.0) for line in lines if line]


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Chance that an attack scores above a benign text, ties counted half. NaN where one side is empty."""
    if not good or not bad:
        return float("nan")
    marked = sorted([(score, 0) for score in good] + [(score, 1) for score in bad])
    rank_sum, at = 0.0, 0
    while at < len(marked):
        end = at
        while end < len(marked) and marked[end][0] == marked[at][0]:
            end += 1
        rank_sum += (at + end + 1) / 2 * sum(label for _, label in marked[at:end])
        at = end
    return (rank_sum - len(bad) * (len(bad) + 1) / 2) / (len(good) * len(bad))


def threshold(good: Sequence[float], share: float) -> float:
    """The score that at most `share` of the benign texts exceed."""
    ordered = sorted(good, reverse=True)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def above(scores: Sequence[float], limit: float) -> float:
    """Share of the scores above the limit."""
    return sum(score > limit for score in scores) / len(scores) if scores else float("nan")


def figures(rows: Sequence[Row], scores: Sequence[float]) -> dict[str, float]:
    """All figures over held-out rows and `hard_rows`; shares and AUC between 0 and 1. The hard rows count in their own figures only.

    Raises ValueError unless attacks, benign and hard rows are all among them.
    """
    good = [score for row, score in zip(rows, scores, strict=True) if not row.label and row.source != HARD]
    bad = [score for row, score in zip(rows, scores, strict=True) if row.label]
    hard = [score for row, score in zip(rows, scores, strict=True) if row.source == HARD]
    foreign = [score for row, score in zip(rows, scores, strict=True) if not row.label and row.lang != "en"]
    if not (good and bad and hard):
        raise ValueError("figures need attacks, benign and hard benign rows; is the data folder complete?")
    strict, calm = threshold(good, 0.01), threshold(hard, 0.05)
    found = {
        "rows_benign": float(len(good)),
        "rows_attack": float(len(bad)),
        "auc": auc(good, bad),
        "auc_hard_benign": auc(hard, bad),
        "tpr_at_fpr_1pct": above(bad, strict),
        "recall_at_overdefence_5pct": above(bad, calm),
        "fpr_at_logit_0": above(good, 0.0),
        "recall_at_logit_0": above(bad, 0.0),
        "overdefence_at_logit_0": above(hard, 0.0),
        "foreign_benign_flagged_at_1pct": above(foreign, strict),
        "foreign_benign_flagged_at_logit_0": above(foreign, 0.0),
    }
    by_source: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row, score in zip(rows, scores, strict=True):
        by_source[row.source, row.label].append(score)
    for (source, label), values in sorted(by_source.items()):
        found[f"{'recall' if label else 'flagged'}_at_1pct/{source}"] = above(values, strict)
    return {name: round(value, 4) for name, value in found.items()}
