"""Whether words that a claim puts together stand together in the context too.

Leaves out: whether they stand there at all, and what changed between two sentences (`features`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from affiant.guards.grounded.align import ContextIndex
from affiant.guards.grounded.words import Kind, Word


def share(count: float, whole: float) -> float:
    """One number as a share of another; 0 of nothing."""
    return count / whole if whole else 0.0


def pair_weight(
    stems: Sequence[str],
    content: Sequence[int],
    index: ContextIndex,
    best: list[tuple[float, int]],
    weights: dict[int, float],
    total: float,
) -> float:
    """Weight share of the claim's content that its two best sentences hold together."""
    if not best:
        return 0.0
    there = {word.stem for _, sentence in best[:2] for word in index.sentences[sentence]}
    return share(sum(weights[number] for number in content if stems[number] in there), total)


def nearness(stems: Sequence[str], content: Sequence[int], index: ContextIndex) -> list[float]:
    """For neighbouring content words: whether they stand together in the context too."""
    return [index.nearness(stems[a], stems[b]) for a, b in pairwise(content) if stems[a] != stems[b]]


def two_apart(stems: Sequence[str], content: Sequence[int], index: ContextIndex, otherwise: float) -> float:
    """As `nearness` of content words with one between them, on average."""
    near = [index.nearness(stems[a], stems[b]) for a, b in zip(content, content[2:], strict=False) if stems[a] != stems[b]]
    return share(sum(near), len(near)) if near else otherwise


def unbound(words: Sequence[Word], content: Sequence[int], support: Sequence[float], index: ContextIndex) -> float:
    """Names and numbers that the context holds, though near none of the words that the claim puts around them."""
    count = 0
    for place, number in enumerate(content):
        word = words[number]
        if support[number] < 1 or not (word.kind is Kind.NUMBER or index.is_name(word.stem)):
            continue
        around = [words[other] for other in (*content[max(0, place - 3) : place], *content[place + 1 : place + 4])]
        others = [other.stem for other in around if other.stem != word.stem and not _of_name(other, index)]
        count += bool(others) and not any(index.nearness(word.stem, stem) == 1 for stem in others)
    return float(count)


def _of_name(word: Word, index: ContextIndex) -> bool:
    """Whether a word may be part of a name: no other word binds a name so loosely as its own first name does."""
    return (word.capital and not word.opens) or index.is_name(word.stem)


def window(stems: Sequence[str], content: Sequence[int], index: ContextIndex, best: int, weights: dict[int, float], total: float) -> float:
    """Weight share of the claim's content that its best sentence holds together with the ones before and after."""
    if best < 0:
        return 0.0
    there = {word.stem for sentence in index.sentences[max(0, best - 1) : best + 2] for word in sentence}
    return share(sum(weights[number] for number in content if stems[number] in there), total)
