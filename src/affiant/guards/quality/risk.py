"""How likely an answer is made up: groundedness where a context was given, and signs in the answer itself.

Signs are hedging, numbers that the context does not hold, citations of impossible form and sentences that contradict each other.
Each is evidence of its own, joined as independent chances. The score orders answers for a reader; it is no probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affiant.guards.grounded.lexicon import ABSOLUTES, ANTONYMS, HEDGES, NEGATIONS
from affiant.guards.grounded.sentences import split
from affiant.guards.grounded.words import Kind, Reader, Word, guess_language
from affiant.guards.quality.model import FULL, Code, Finding

MAX_CHARS = 40_000
_MAX_HOLDING = 24
_MIN_SHARED = 2
_ALIKE = 0.8  # shared words over the mean length, of longer sentences
_ALIKE_SHORT = 0.9
_LONG = 4
_SMALL = 13
_WEIGHTS = {Code.BAD_CITATION: 0.5, Code.CONTRADICTION: 0.4, Code.UNSOURCED_NUMBER: 0.15}
_HEDGE_WEIGHT = 0.3
_MAX_SIGNS = 4


def contradictions(text: str) -> Iterator[Finding]:
    """Pairs of sentences that say nearly the same, one of them negated, with the opposite word, or with another number.

    The later sentence is named. Sentences are compared with those that share a rare word, so that the work is linear in the text.
    """
    text = text[:MAX_CHARS]
    reader = Reader(guess_language(text))
    holding: dict[str, list[int]] = {}
    seen: list[tuple[list[Word], frozenset[str]]] = []
    for start, end in split(text):
        words = reader.words(text, start, end)
        stems = frozenset(word.stem for word in words if word.kind is Kind.WORD and word.folded not in NEGATIONS)
        near: dict[int, int] = {}
        for stem in stems:
            for number in holding.get(stem, ()):
                near[number] = near.get(number, 0) + 1
        asks = "?" in text[start:end]
        for number, shared in near.items():
            other, theirs = seen[number]
            alike = 2 * shared / (len(stems) + len(theirs))
            enough = shared >= _MIN_SHARED and alike >= (_ALIKE if shared >= _LONG else _ALIKE_SHORT)
            if enough and not asks and _opposed(words, other):
                yield Finding(Code.CONTRADICTION, start, end, round(FULL * alike))
                break
        if not asks:
            for stem in stems:
                numbers = holding.setdefault(stem, [])
                if len(numbers) < _MAX_HOLDING:
                    numbers.append(len(seen))
        seen.append((words, stems))


def _opposed(one: Sequence[Word], other: Sequence[Word]) -> bool:
    ours, theirs = {word.folded for word in one}, {word.folded for word in other}
    if len(ours & NEGATIONS) % 2 != len(theirs & NEGATIONS) % 2:
        return True
    if any(ANTONYMS.get(word, frozenset()) & (theirs - ours) for word in ours - theirs if word not in ABSOLUTES):
        return True
    numbers = [[word.stem for word in words if word.kind is Kind.NUMBER and word.value >= _SMALL] for words in (one, other)]
    return len(numbers[0]) == len(numbers[1]) == 1 and numbers[0] != numbers[1]


def unsourced_numbers(text: str, context: str) -> Iterator[Finding]:
    """Numbers of the answer that the context does not hold; small ones, which count and list, are left out. Without a context: none."""
    if not context:
        return
    text = text[:MAX_CHARS]
    reader = Reader(guess_language(context))
    known = {word.stem for word in reader.words(context) if word.kind is Kind.NUMBER}
    for word in reader.words(text):
        if word.kind is Kind.NUMBER and word.value >= _SMALL and word.stem not in known:
            yield Finding(Code.UNSOURCED_NUMBER, word.start, word.end, 800_000)


def hedging(text: str) -> float:
    """Share of sentences with a hedge (*perhaps*, *I think*), 0..1."""
    text = text[:MAX_CHARS]
    reader = Reader(guess_language(text))
    spans = split(text)
    hedged = sum(any(word.folded in HEDGES for word in reader.words(text, start, end)) for start, end in spans)
    return hedged / len(spans) if spans else 0.0


def risk(text: str, found: Sequence[Finding], ungrounded_ppm: int | None = None) -> int:
    """The joined score, parts per million.

    Args:
        text: of the answer.
        found: its findings; those of citations, contradictions and numbers count.
        ungrounded_ppm: what `grounded` gave, None where no context was supplied.
    """
    good = 1.0 if ungrounded_ppm is None else 1.0 - min(ungrounded_ppm, FULL) / FULL
    for code, weight in _WEIGHTS.items():
        good *= (1.0 - weight) ** min(sum(finding.code is code for finding in found), _MAX_SIGNS)
    return round(FULL * (1.0 - good * (1.0 - _HEDGE_WEIGHT * hedging(text))))
