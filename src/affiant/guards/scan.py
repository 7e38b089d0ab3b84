"""One scan per text: the patterns of all detectors as one set, then validators and context on the hits only.

A `Detector` is data and one function: patterns, and what tells a true hit from a false one. A pattern's `regex` is in the
subset that a multi-pattern automaton runs in linear time (no look-around, no back-references); `exact`, where given, is a
Python pattern tried once at each hit for the exact span. `Scanner` runs the automaton of all patterns over a text once.

What is found depends on a bounded neighbourhood only: a span on `LOOKBACK` characters before it, on its own at most `MAX_SPAN`,
on `LOOKAHEAD` after it, and on spans that overlap it. So a text may be scanned in pieces that carry that much over.
Leaves out: the detectors themselves (`detectors`), and where pieces end (`cut`).
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import hyperscan

FULL = 1_000_000
LOOKBACK = 128
"""Characters before a span that may decide about it: no hit begins further before its span, no validator looks further."""
LOOKAHEAD = 24
"""Characters after a span that may decide about it."""
WINDOW = 65_536
"""Characters that the automaton reads at once, so that memory for hits is bounded whatever the text."""
_REACH = 4096  # characters beyond a window that the automaton sees, for what begins in the window
MAX_SPAN = 2048
"""Characters of the longest span; a pattern's `width` may say less, and never more."""


@dataclass(frozen=True)
class Pattern:
    """What a detector looks for.

    Args:
        rule: stable id of the pattern, unique within its detector, such as `email`.
        type: entity type that a hit is of, such as `EMAIL` or `SECRET/aws_access_key`.
        regex: pattern of the automaton; must not match the empty string.
        exact: Python pattern tried at the start of a hit, whose group `v` (else the whole match) is the span; "": `regex` itself.
        ignore_case: whether case matters not, in both.
        width: longest hit in characters; longer ones are cut.
        score_ppm: confidence of a hit that nothing else confirms or denies.
    """

    rule: str
    type: str
    regex: str
    exact: str = ""
    ignore_case: bool = False
    width: int = 512
    score_ppm: int = FULL

    @cached_property
    def has_value(self) -> bool:
        """Whether group `v` is the span."""
        return "v" in self.python.groupindex

    @cached_property
    def python(self) -> re.Pattern[str]:
        """The pattern that gives the exact span."""
        return re.compile(self.exact or self.regex, re.IGNORECASE if self.ignore_case else 0)


@dataclass(frozen=True, slots=True)
class Found:
    """One span in the text that was scanned.

    Args:
        start: str offset, inclusive.
        end: str offset, exclusive.
        type: entity type.
        score_ppm: confidence, parts per million.
        rule: `<detector>/<rule>`, which the scanner fills in; "" where a validator gives it.
    """

    start: int
    end: int
    type: str
    score_ppm: int = FULL
    rule: str = ""


class Finder(Protocol):
    """Finds spans in one text."""

    def find(self, text: str, start: int = 0) -> list[Found]:
        """Spans that begin at or after `start`; what lies before is context."""
        ...


class Beside(Protocol):
    """Finds more than the detectors that every process has."""

    @property
    def reach(self) -> int:
        """Characters of its longest span."""
        ...

    def beside(self, built_in: Finder) -> Finder:
        """Both as one."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit before it is judged.

    Args:
        text: the whole text that is scanned.
        start: of the span.
        end: of the span.
        pattern: that hit.
    """

    text: str
    start: int
    end: int
    pattern: Pattern

    @property
    def value(self) -> str:
        """The span's text."""
        return self.text[self.start : self.end]

    def before(self, width: int = 48) -> str:
        """Text directly before the span."""
        return self.text[max(0, self.start - width) : self.start]

    def after(self, width: int = 24) -> str:
        """Text directly after the span."""
        return self.text[self.end : self.end + width]


Judge = Callable[[Candidate], Iterable[Found]]


def accept(candidate: Candidate) -> Iterable[Found]:
    """Take every hit as it is."""
    return (Found(candidate.start, candidate.end, candidate.pattern.type, candidate.pattern.score_ppm),)


@dataclass(frozen=True)
class Detector:
    """Patterns of one family, and what validates their hits.

    Args:
        name: such as `email`.
        patterns: what is looked for.
        validate: judges one hit: gives no span, one, or several within it (a run of digits may hold two cards).
        rank: where spans of detectors overlap, the lower rank wins, then the longer span.
    """

    name: str
    patterns: tuple[Pattern, ...]
    validate: Judge = field(default=accept)
    rank: int = 50


class ScannerError(ValueError):
    """A detector that cannot be compiled. Its text names the pattern and says what to change."""


class Scanner:
    """All patterns of some detectors as one automaton. Immutable; one may serve several threads.

    Time is linear in the text plus the hits. Characters count, not bytes: a lone surrogate reads as `?`.

    Args:
        detectors: what is looked for. Names of detectors, and rules within one, are unique.
        database: what `database` of an equal scanner gave before; saves compiling. Compiled again, unasked, where it was made
            of other patterns, by another version of the engine or for another processor.

    Raises:
        ScannerError: a pattern that the automaton does not accept, or names that are not unique.
    """

    def __init__(self, detectors: Sequence[Detector], database: bytes = b"") -> None:
        self._entries = [(detector, pattern) for detector in detectors for pattern in detector.patterns]
        self._rules = [f"{detector.name}/{pattern.rule}" for detector, pattern in self._entries]
        _check(self._rules, self._entries)
        self._ranks = {rule: detector.rank for rule, (detector, _) in zip(self._rules, self._entries, strict=True)}
        self._digest = _digest(self._entries)
        self._scratches: list[hyperscan.Scratch] = []
        self.compiled = False
        loaded = _load(database, self._digest) if self._entries else None
        if loaded is None and self._entries:
            loaded = compile_patterns([pattern for _, pattern in self._entries], self._rules)
            self.compiled = True
        self._database = loaded

    @property
    def types(self) -> tuple[str, ...]:
        """Types that patterns name (a validator may refine them), sorted."""
        return tuple(sorted({pattern.type for _, pattern in self._entries}))

    @property
    def database(self) -> bytes:
        """The automaton in a form that a later `Scanner` of the same detectors starts from."""
        return self._digest + hyperscan.dumpb(self._database) if self._database is not None else b""

    def find(self, text: str, start: int = 0) -> list[Found]:
        """Spans that begin at or after `start`, without overlap, in order; what lies before is context only."""
        if self._database is None:
            return []
        base = max(0, start - 2 * LOOKBACK)
        found: list[Found] = []
        done: dict[int, int] = {}
        for window in range(base, len(text), WINDOW):
            for at, number in self._hits(text, window):
                if at >= done.get(number, 0):
                    end = self._judge(text, at, number, start, found)
                    if end:
                        done[number] = end
        return self._without_overlap(found) if len(found) > 1 else found

    def _hits(self, text: str, window: int) -> list[tuple[int, int]]:
        """Places (str offsets) within one window and numbers of the patterns that may match there, in order, each once."""
        begin = max(0, window - LOOKBACK)
        piece = text[begin : window + WINDOW + _REACH]
        database = self._database
        assert database is not None  # `find` asks only where there are patterns
        hits: set[tuple[int, int]] = set()
        data = piece.encode("utf-8", "replace")

        def on_match(number: int, first: int, _end: int, _flags: int, _context: object) -> None:
            hits.add((first, number))

        try:
            scratch = self._scratches.pop()
        except IndexError:
            scratch = hyperscan.Scratch(database)
        database.scan(data, match_event_handler=on_match, scratch=scratch)
        self._scratches.append(scratch)
        ordered = sorted(hits)
        if len(data) != len(piece):
            ordered = _in_characters(data, ordered)
        if window == 0 and len(text) <= WINDOW:
            return ordered
        return [(place + begin, number) for place, number in ordered if window <= place + begin < window + WINDOW]

    def _judge(self, text: str, at: int, number: int, start: int, found: list[Found]) -> int:
        """Add what the detector makes of one hit; where the last span of it ends, 0 if there is none."""
        detector, pattern = self._entries[number]
        match = pattern.python.match(text, at)
        if match is None:
            return 0
        begin, end = match.span("v" if pattern.has_value else 0)
        end = min(end, begin + min(pattern.width, MAX_SPAN))
        if begin < 0 or begin >= end or begin - at > LOOKBACK:
            return 0
        last = 0
        for span in detector.validate(Candidate(text, begin, end, pattern)):
            last = max(last, span.end)
            if span.start >= start:
                found.append(Found(span.start, span.end, span.type, span.score_ppm, self._rules[number]))
        return last

    def _without_overlap(self, found: list[Found]) -> list[Found]:
        """Spans in order: of those that overlap, the lower rank wins, then the longer, then the earlier, then the surer."""
        found.sort(key=lambda one: one.start)
        kept: list[Found] = []
        together: list[Found] = []
        end = 0
        for one in found:
            if together and one.start >= end:
                kept += self._best(together)
                together = []
            together.append(one)
            end = max(end, one.end)
        return kept + self._best(together)

    def _best(self, together: list[Found]) -> list[Found]:
        if len(together) == 1:
            return together
        ranks = self._ranks
        together.sort(key=lambda one: (ranks[one.rule], one.start - one.end, one.start, -one.score_ppm, one.type, one.rule))
        kept: dict[int, Found] = {}
        starts: list[int] = []
        for one in together:
            place = bisect_left(starts, one.end)
            if not place or kept[starts[place - 1]].end <= one.start:
                insort(starts, one.start)
                kept[one.start] = one
        return [kept[start] for start in starts]


def compile_patterns(patterns: Sequence[Pattern], names: Sequence[str]) -> hyperscan.Database:
    """One automaton of patterns, numbered in their order.

    Raises:
        ScannerError: naming the pattern at fault.
    """
    try:
        return _compiled(patterns)
    except hyperscan.error as whole:
        for pattern, name in zip(patterns, names, strict=True):
            try:
                _compiled([pattern])
            except hyperscan.error as error:
                raise ScannerError(
                    f"Pattern {name!r} is not accepted by the automaton: {error} Put what needs look-around or back-references "
                    f"into `exact`, and leave the plain part in `regex`: {pattern.regex!r}"
                ) from None
        raise ScannerError(f"The patterns are too large as one automaton: {whole}. Shorten repetitions in `regex`.") from None


def _compiled(patterns: Sequence[Pattern]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.regex.encode() for pattern in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[_flags(pattern) for pattern in patterns],
    )
    return database


def _flags(pattern: Pattern) -> int:
    flags = hyperscan.HS_FLAG_SOM_LEFTMOST
    if pattern.ignore_case:
        flags |= hyperscan.HS_FLAG_CASELESS
    if not pattern.regex.isascii():
        flags |= hyperscan.HS_FLAG_UTF8
    return int(flags)


def _check(rules: Sequence[str], entries: Sequence[tuple[Detector, Pattern]]) -> None:
    """Refuse names that are not unique, and Python patterns that do not compile."""
    twice = next((rule for number, rule in enumerate(rules) if rule in rules[:number]), None)
    if twice is not None:
        raise ScannerError(f"Two patterns are named {twice!r}. Give each rule of a detector, and each detector, a name of its own.")
    for rule, (_, pattern) in zip(rules, entries, strict=True):
        try:
            _ = pattern.python
        except re.error as error:
            wrong = pattern.exact or pattern.regex
            raise ScannerError(f"Pattern {rule!r} is no valid Python pattern: {error}. Correct {wrong!r}.") from None


_ENGINE = str(vars(hyperscan).get("__version__", ""))


def _digest(entries: Sequence[tuple[Detector, Pattern]]) -> bytes:
    """What a serialized automaton must have been made of."""
    lines = [_ENGINE, *(f"{_flags(pattern)} {pattern.regex}" for _, pattern in entries)]
    return hashlib.sha256("\0".join(lines).encode()).digest()


def _load(database: bytes, digest: bytes) -> hyperscan.Database | None:
    """A serialized automaton, if it is of these patterns and fits this machine."""
    if not database.startswith(digest):
        return None
    try:
        return hyperscan.loadb(database[len(digest) :], hyperscan.HS_MODE_BLOCK)
    except hyperscan.error:
        return None


_CONTINUATION = bytes(range(0x80, 0xC0))


def _in_characters(data: bytes, hits: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Hits with byte offsets of UTF-8 as hits with str offsets; one pass over the bytes."""
    mapped, last, count = [], 0, 0
    for place, number in hits:
        if place > last:
            count += len(data[last:place].translate(None, _CONTINUATION))
            last = place
        inside = place < len(data) and data[place] & 0xC0 == 0x80
        mapped.append((count - 1 if inside else count, number))
    return mapped
