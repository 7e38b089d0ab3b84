"""Where the words of a claim stand in its context: an index of the context, and what one claim sentence finds in it.

`ContextIndex` is built once per context, in time linear in its words; a sentence of a claim then looks at a bounded number of
places. Leaves out: what follows from it (`features`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from affiant.guards.grounded.vectors import Floats, WordVectors
from affiant.guards.grounded.words import Kind, Word

MAX_PLACES = 24
MAX_HOLDING = 200
MAX_ALIGNED = 80
NEAR = 6
_PREFIX = 5

Weigh = Callable[[str], float]


class ContextIndex:
    """A context as its sentences, and where each stem and n-gram stands in it.

    Args:
        sentences: words of each sentence.
        weigh: weight of a stem, 0..1; rare ones weigh more.
        vectors: of words; None: words are compared by stem only.
    """

    def __init__(self, sentences: Sequence[list[Word]], weigh: Weigh, vectors: WordVectors | None = None) -> None:
        self.sentences = [words for words in sentences if words]
        self.weigh = weigh
        self.words = [word for words in self.sentences for word in words]
        self.stems = [word.stem for word in self.words]
        self.sentence_of: list[int] = [number for number, words in enumerate(self.sentences) for _ in words]
        self.places: dict[str, list[int]] = {}
        self.holding: dict[str, list[int]] = {}
        self.names: Counter[str] = Counter()
        self.values: list[float] = []
        self.prefixes: set[str] = set()
        self.pairs: dict[tuple[str, str], list[int]] = {}
        self.grams: tuple[set[tuple[str, ...]], ...] = ()
        self._vectors = vectors
        self._meanings: Floats | None = None
        self._index()

    def likeness(self, words: Sequence[Word]) -> list[float]:
        """How near in meaning the context comes to each word, 0..1."""
        if self._vectors is None or not words:
            return [0.0] * len(words)
        if self._meanings is None:
            self._meanings = self._vectors.matrix({word.folded for word in self.words if word.kind is Kind.WORD})
        return self._vectors.nearest([word.folded for word in words], self._meanings)

    def related(self, before: str, stem: str) -> bool:
        """Whether a function word stands within three words before a stem anywhere in the context."""
        return any(before in self.stems[max(0, place - 3) : place] for place in self.places.get(stem, ())[:MAX_PLACES])

    def _index(self) -> None:
        stems, before = self.stems, ""
        values: set[float] = set()
        for place, word in enumerate(self.words):
            text = word.stem
            places = self.places.setdefault(text, [])
            number = self.sentence_of[place]
            if word.kind is not Kind.STOP:
                holding = self.holding.setdefault(text, [])
                if len(holding) < MAX_HOLDING and (not holding or holding[-1] != number):
                    holding.append(number)
                if word.capital and not word.opens:
                    self.names[text] += 1
                if word.kind is Kind.NUMBER:
                    values.add(word.value)
                if len(text) >= _PREFIX:
                    self.prefixes.add(text[:_PREFIX])
            places.append(place)
            if place:
                at = self.pairs.setdefault((before, text), [])
                if len(at) < MAX_PLACES:
                    at.append(place - 1)
            before = text
        self.values = sorted(values)
        self.grams = (set(zip(stems, stems[1:], stems[2:], strict=False)), set(zip(stems, stems[1:], stems[2:], stems[3:], strict=False)))

    def is_name(self, stem: str) -> bool:
        """Whether the context mostly writes this with a capital inside of sentences."""
        count = self.names.get(stem, 0)
        return count > 0 and 2 * count >= len(self.places[stem])

    def has_value(self, value: float) -> bool:
        """Whether the context holds a number that this one may be the rounding of."""
        if value < 13 or 1000 < value < 2200 or not _round(value):
            return False
        place = bisect_left(self.values, 0.95 * value)
        return place < len(self.values) and self.values[place] <= 1.05 * value

    def best(self, stems: Sequence[str]) -> tuple[list[tuple[float, int]], float]:
        """Sentences that hold most of the weight of some stems, best first (weight, number), at most three; and the whole weight."""
        scores: dict[int, float] = {}
        total = 0.0
        for stem in set(stems):
            weight = self.weigh(stem)
            total += weight
            for number in self.holding.get(stem, ()):
                scores[number] = scores.get(number, 0.0) + weight
        # of sentences alike, the shorter one, then the earlier one
        order = sorted(scores, key=lambda number: (-scores[number], len(self.sentences[number]), number))[:3]
        return [(scores[number], number) for number in order], total

    def nearness(self, one: str, other: str) -> float:
        """1 where two stems stand within `NEAR` words of a sentence, 0.5 within a sentence, else 0."""
        first, second = self.places.get(one, ()), self.places.get(other, ())
        if not first or not second:
            return 0.0
        found = 0.0
        i = j = steps = 0
        while i < len(first) and j < len(second) and steps < 4 * MAX_PLACES:
            a, b = first[i], second[j]
            if self.sentence_of[a] == self.sentence_of[b]:
                if abs(a - b) <= NEAR and a != b:
                    return 1.0
                found = 0.5
            i, j, steps = (i + 1, j, steps + 1) if a < b else (i, j + 1, steps + 1)
        return found


def _round(value: float) -> bool:
    """Whether a number looks rounded: 300, 20000, 1.5e6."""
    digits = f"{value:.15g}"
    return len(digits.partition("e")[0].replace(".", "").strip("0")) <= 2


@dataclass(frozen=True, slots=True)
class Fragment:
    """A run of the claim that the context holds word by word.

    Args:
        start: number of its first word in the claim sentence.
        length: words.
        place: where it begins in the context.
        sentence: of the context.
    """

    start: int
    length: int
    place: int
    sentence: int


def fragments(stems: Sequence[str], index: ContextIndex) -> list[Fragment]:
    """The claim's words as runs copied from the context, greedily the longest first from the left; single words are left out."""
    found: list[Fragment] = []
    at = 0
    while at + 1 < len(stems):
        best, best_length = -1, 0
        expected = found[-1].place + found[-1].length if found else 0
        for place in index.pairs.get((stems[at], stems[at + 1]), ()):
            length = 2
            limit = min(len(stems) - at, len(index.stems) - place)
            while length < limit and stems[at + length] == index.stems[place + length]:
                length += 1
            if length > best_length or (length == best_length and abs(place - expected) < abs(best - expected)):
                best, best_length = place, length
        if best_length >= 2:
            found.append(Fragment(at, best_length, best, index.sentence_of[best]))
            at += best_length
        else:
            at += 1
    return found


@dataclass
class Alignment:
    """Two sentences laid side by side by their longest common subsequence of stems.

    Args:
        matched: pairs of word numbers (claim, context).
        swaps: pairs of word lists that stand between the same matched neighbours and differ.
        inserted: content words of the claim that stand where the context has nothing.
        left_out: content words of the context between matches, where the claim has nothing.
    """

    matched: list[tuple[int, int]] = field(default_factory=list)
    swaps: list[tuple[list[Word], list[Word]]] = field(default_factory=list)
    inserted: list[Word] = field(default_factory=list)
    left_out: list[Word] = field(default_factory=list)


def align(claim: Sequence[Word], context: Sequence[Word]) -> Alignment:
    """Align a claim sentence with a context sentence; at most `MAX_ALIGNED` words of each are looked at."""
    claim, context = claim[:MAX_ALIGNED], context[:MAX_ALIGNED]
    rows = _lengths([word.stem for word in claim], [word.stem for word in context])
    result = Alignment()
    i = j = 0
    gap_claim: list[Word] = []
    gap_context: list[Word] = []
    while i < len(claim) and j < len(context):
        if claim[i].stem == context[j].stem:
            _close(result, gap_claim, gap_context, bounded=bool(result.matched))
            gap_claim, gap_context = [], []
            result.matched.append((i, j))
            i, j = i + 1, j + 1
        elif rows[i + 1][j] >= rows[i][j + 1]:
            gap_claim.append(claim[i])
            i += 1
        else:
            gap_context.append(context[j])
            j += 1
    gap_claim.extend(claim[i:])
    gap_context.extend(context[j:])
    _close(result, gap_claim, gap_context, bounded=False)
    return result


def _lengths(one: Sequence[str], other: Sequence[str]) -> list[list[int]]:
    """Length of the longest common subsequence of each pair of suffixes."""
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        stem, below, row = one[i], rows[i + 1], rows[i]
        right = 0
        for j in range(len(other) - 1, -1, -1):
            if stem == other[j]:
                right = below[j + 1] + 1
            elif below[j] > right:
                right = below[j]
            row[j] = right
    return rows


def _close(result: Alignment, claim: list[Word], context: list[Word], bounded: bool) -> None:
    """Take the gap between two matches: a swap where both sides say something, else an insertion."""
    ours = [word for word in claim if word.content]
    theirs = [word for word in context if word.content]
    if ours and theirs and (bounded or len(theirs) <= 4):
        result.swaps.append((ours, theirs))
    elif ours:
        result.inserted.extend(ours)
    elif theirs and bounded:
        result.left_out.extend(theirs)
