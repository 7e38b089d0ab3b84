"""Leakage: passages of protected documents, canaries and tenants' markers found again where they must not be.

A protected text is known by fingerprints only: 61-bit hashes of runs of words (Rabin–Karp over word hashes), of which a document keeps
those that winnowing selects (Schleimer, Wilkerson, Aiken 2003: any passage of at least `WINDOW + GRAM - 1` words shares one). A canary
or a marker of up to `GRAM` words is one fingerprint of its own length. Texts are folded first, so that case, look-alikes and hidden
characters change nothing. Leaves out: where fingerprints are kept (records), which exchanges they concern (`Watchlist.for_exchange`).
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from affiant.guards.text import Folded

GRAM = 8
"""Words of one fingerprint of a document."""
WINDOW = 4
"""Consecutive fingerprints of which winnowing keeps at least one."""
ENOUGH = 3
"""Fingerprints of one document that must be found within `NEAR` words."""
NEAR = 48
MAX_PRINTS = 20_000
MAX_CANARY_WORDS = GRAM
_MODULUS = (1 << 61) - 1
_BASE = 1_000_003
_WORD = re.compile(r"[a-z0-9_]+|[^\x00-\x7f]")
LABELS = ("public", "internal", "confidential", "restricted")


@dataclass(frozen=True, slots=True)
class Protected:
    """A text that must not turn up elsewhere.

    Args:
        id: of its record.
        kind: `document`, `canary` or `marker`.
        label: from which label of a route on it may be seen (public < internal < confidential < restricted).
        tenant: whose it is: nobody else's exchanges may hold it; "": nobody's in particular.
        words: words of each fingerprint: `GRAM` for a document, else its own length.
        prints: fingerprints.
    """

    id: str
    kind: str
    label: str
    tenant: str
    words: int
    prints: frozenset[int]


@dataclass(frozen=True, slots=True)
class Leak:
    """A protected text found again.

    Args:
        id: of the protected text.
        kind: its kind.
        start: str offset of the first matching word in the source.
        end: str offset after the last.
        matched: fingerprints found.
    """

    id: str
    kind: str
    start: int
    end: int
    matched: int


@lru_cache(maxsize=65_536)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % _MODULUS


def _words(text: str) -> tuple[Folded, list[tuple[int, int, int]]]:
    """Words of the folded text as (start, end, hash), folded offsets."""
    folded = Folded(text)
    return folded, [(m.start(), m.end(), _word_hash(m.group())) for m in _WORD.finditer(folded.text)]


def fingerprints(text: str) -> frozenset[int]:
    """Fingerprints that winnowing keeps of a document; empty where it has fewer than `GRAM` words."""
    hashes = [each[2] for each in _words(text)[1]]
    grams = list(_rolled(hashes, GRAM))
    kept: set[int] = set()
    for start in range(max(1, len(grams) - WINDOW + 1)) if grams else ():
        kept.add(min(grams[start : start + WINDOW]))
    return frozenset(kept)


def canary_print(text: str) -> tuple[int, int]:
    """(words, fingerprint) of a canary or marker.

    Raises:
        ValueError: it has no word, more than `MAX_CANARY_WORDS`, or is too short to be told from ordinary text.
    """
    hashes = [each[2] for each in _words(text)[1]]
    if not 0 < len(hashes) <= MAX_CANARY_WORDS or sum(char.isalnum() for char in text) < 10:
        raise ValueError(f"a canary has 1 to {MAX_CANARY_WORDS} words and at least 10 letters or digits")
    return len(hashes), next(iter(_rolled(hashes, len(hashes))))


def _rolled(hashes: Sequence[int], words: int) -> Iterable[int]:
    """Hash of each run of `words` words."""
    top, value = pow(_BASE, words - 1, _MODULUS), 0
    for place, each in enumerate(hashes):
        if place >= words:
            value = (value - hashes[place - words] * top) % _MODULUS
        value = (value * _BASE + each) % _MODULUS
        if place >= words - 1:
            yield value


class Watchlist:
    """Protected texts, ready to be looked for.

    Args:
        protected: all of them.
    """

    def __init__(self, protected: Sequence[Protected] = ()) -> None:
        self._all = tuple(protected)
        self._views: dict[tuple[str, str], Watch] = {}

    def for_exchange(self, label: str, tenant: str) -> Watch:
        """What an exchange of this label and tenant must not hold: texts of a higher label, and other tenants'."""
        known = self._views.get((label, tenant))
        if known is None:
            rank = LABELS.index(label) if label in LABELS else 0
            known = Watch([p for p in self._all if (p.tenant and p.tenant != tenant) or LABELS.index(p.label) > rank])
            if len(self._views) < 4096:
                self._views[(label, tenant)] = known
        return known


class Watch:
    """Texts that one kind of exchange must not hold. Read-only.

    Args:
        protected: those texts.
    """

    def __init__(self, protected: Sequence[Protected]) -> None:
        self._by_length: dict[int, dict[int, list[Protected]]] = {}
        for each in protected:
            table = self._by_length.setdefault(each.words, {})
            for value in each.prints:
                table.setdefault(value, []).append(each)

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def find(self, text: str) -> list[Leak]:
        """What is found in one text: one leak for each protected text, up to where that is certain."""
        if not self._by_length:
            return []
        folded, words = _words(text)
        tracker = Tracker(self)
        leaks = []
        for leak in tracker.feed(words):
            start, end = folded.span(leak.start, leak.end)
            leaks.append(Leak(leak.id, leak.kind, start, end, leak.matched))
        return sorted(leaks, key=lambda leak: (leak.start, leak.id))

    @property
    def by_length(self) -> dict[int, dict[int, list[Protected]]]:
        """Words of a fingerprint -> fingerprint -> texts."""
        return self._by_length


class Tracker:
    """Looks for protected texts in words as they arrive; what it says depends on the words alone. Each text is told once.

    Args:
        watch: what to look for.
    """

    def __init__(self, watch: Watch) -> None:
        self._lanes = [_Lane(length, table) for length, table in watch.by_length.items()]
        self._matches: dict[str, _Matches] = {}

    def words(self, folded: Folded, start: int, at: int) -> list[Leak]:
        """Take the words of a folded text from `start` on; offsets are those in the source plus `at`."""
        taken = []
        for match in _WORD.finditer(folded.text, start):
            begin, end = folded.span(match.start(), match.end())
            taken.append((at + begin, at + end, _word_hash(match.group())))
        return self.feed(taken)

    def feed(self, words: Iterable[tuple[int, int, int]]) -> list[Leak]:
        """Take words as (start, end, hash); gives the leaks that became certain, each ending with the word that made it so."""
        leaks = []
        for start, end, value in words:
            for lane in self._lanes:
                first, found = lane.push(start, value)
                for each in found:
                    match = self._matches.setdefault(each.id, _Matches(each))
                    if match.add(lane.place, first):
                        leaks.append(Leak(each.id, each.kind, match.start, end, match.count))
        return leaks


class _Lane:
    """Rolling fingerprints of one length."""

    __slots__ = ("_hashes", "_starts", "_table", "_top", "_value", "_words", "place")

    def __init__(self, words: int, table: dict[int, list[Protected]]) -> None:
        self._words, self._table, self._top = words, table, pow(_BASE, words - 1, _MODULUS)
        self._hashes: deque[int] = deque()
        self._starts: deque[int] = deque()
        self._value = 0
        self.place = -1

    def push(self, start: int, value: int) -> tuple[int, Sequence[Protected]]:
        """Take one word; gives where the fingerprint that it ends begins, and the texts that have it."""
        self.place += 1
        if len(self._hashes) == self._words:
            self._value = (self._value - self._hashes.popleft() * self._top) % _MODULUS
            self._starts.popleft()
        self._hashes.append(value)
        self._starts.append(start)
        self._value = (self._value * _BASE + value) % _MODULUS
        if len(self._hashes) < self._words:
            return start, ()
        return self._starts[0], self._table.get(self._value, ())


class _Matches:
    """Fingerprints of one protected text as they are found; a document needs several near each other, or all that it has."""

    def __init__(self, protected: Protected) -> None:
        self.count, self.start, self._told = 0, -1, False
        self._needed = min(ENOUGH, len(protected.prints)) if protected.kind == "document" else 1
        self._recent: deque[tuple[int, int]] = deque(maxlen=self._needed)

    def add(self, place: int, start: int) -> bool:
        """Note one; True when there are enough for the first time."""
        self.count += 1
        self._recent.append((place, start))
        if self._told or len(self._recent) < self._needed or place - self._recent[0][0] > NEAR:
            return False
        self._told, self.start = True, self._recent[0][1]
        return True
