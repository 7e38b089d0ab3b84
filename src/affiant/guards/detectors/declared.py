"""Detectors that a policy declares as data: patterns with context words, check digits and scores, as a `Detector` and as one scan.

`Own` runs a policy's own detectors beside the built-in ones. Leaves out: the file format and its faults (records), and what is slow
or empty (`lint`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from re import _parser  # type: ignore[attr-defined]

from stdnum import damm, luhn, verhoeff
from stdnum.iso7064 import mod_11_2, mod_97_10

from affiant.guards.detectors.context import WIDE, glued, seen, words
from affiant.guards.scan import FULL, MAX_SPAN, Candidate, Detector, Finder, Found, Pattern, Scanner

CHECKS: dict[str, Callable[[str], bool]] = {
    "luhn": luhn.is_valid, "mod97": mod_97_10.is_valid, "verhoeff": verhoeff.is_valid, "damm": damm.is_valid, "mod11_2": mod_11_2.is_valid,
}  # fmt: skip
"""Check -> whether letters and digits of a hit satisfy it."""
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class DeclaredPattern:
    """One pattern.

    Args:
        rule: unique within its detector.
        type: entity type of a hit.
        regex: of the automaton.
        exact: Python pattern for the exact span; "": `regex`.
        ignore_case: whether case matters not.
        width: longest span in characters.
        whole: whether a hit within a longer word or number is none.
        context: words of which one before a hit raises its score.
        needs_context: whether nothing is found without one.
        score_ppm: without a context word.
        context_score_ppm: with one.
        check: of `CHECKS`; "": none.
    """

    rule: str
    type: str
    regex: str
    exact: str = ""
    ignore_case: bool = False
    width: int = 256
    whole: bool = True
    context: tuple[str, ...] = ()
    needs_context: bool = False
    score_ppm: int = FULL
    context_score_ppm: int = FULL
    check: str = ""


def declared(name: str, patterns: Sequence[DeclaredPattern], rank: int = 50) -> Detector:
    """The detector of some patterns.

    Raises:
        ValueError: a check that this version does not know.
    """
    unknown = sorted({each.check for each in patterns} - {"", *CHECKS})
    if unknown:
        raise ValueError(f"the check {unknown[0]!r} of detector {name} is not known to this version")
    judged = {each.rule: (each, _words(each.context)) for each in patterns}

    def validate(candidate: Candidate) -> Iterable[Found]:
        return _judge(candidate, *judged[candidate.pattern.rule])

    made = tuple(Pattern(p.rule, p.type, p.regex, p.exact, p.ignore_case, p.width, p.score_ppm) for p in patterns)
    return Detector(name, made, validate, rank)


def _judge(candidate: Candidate, pattern: DeclaredPattern, context: re.Pattern[str] | None) -> Iterable[Found]:
    """A hit of a declared pattern: whole, with its check digit right, and with its word where it needs one."""
    if pattern.whole and glued(candidate.text, candidate.start, candidate.end):
        return ()
    if pattern.check and not CHECKS[pattern.check](_NOT_ALNUM.sub("", candidate.value)):
        return ()
    named = context is not None and seen(candidate, context, WIDE)
    if pattern.needs_context and not named:
        return ()
    return (Found(candidate.start, candidate.end, pattern.type, pattern.context_score_ppm if named else pattern.score_ppm),)


def _words(listed: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern of literal words; those of scripts without blanks may stand anywhere."""
    if not listed:
        return None
    latin = [re.escape(word.lower()) for word in listed if word[0].isascii()]
    other = [re.escape(word.lower()) for word in listed if not word[0].isascii()]
    return words("|".join(latin), "|".join(other)) if latin else re.compile("|".join(other))


class OwnScan:
    """A policy's own detectors as a scan of their own, joined to the built-in one at each text. Immutable.

    Args:
        scan: of the policy's detectors.
        reach: characters of their longest span (`longest`), as many as a stream must hold back for it.
        severity: how much the policy does about a type: of two spans that overlap the one with more stays, then the longer one.
            So what is only flagged never hides what is to be redacted.
    """

    def __init__(self, scan: Scanner, reach: int, severity: Callable[[str], int]) -> None:
        self._scan, self.reach, self._severity = scan, reach, severity

    def beside(self, built_in: Finder) -> Finder:
        """Both as one finder."""
        return _Joined(built_in, self._scan, self._severity)


@dataclass(frozen=True, slots=True)
class _Joined:
    built_in: Finder
    own: Scanner
    severity: Callable[[str], int]

    def find(self, text: str, start: int = 0) -> list[Found]:
        """Spans of both, without overlap, in order."""
        found, own = self.built_in.find(text, start), self.own.find(text, start)
        if not own:
            return found
        if not found:
            return own
        kept: list[Found] = []
        for span in sorted([*own, *found], key=lambda one: one.start):
            over = next((at for at, one in enumerate(kept) if one.end > span.start), len(kept))
            if all(self._weight(span) > self._weight(one) for one in kept[over:]):
                kept[over:] = [span]
        return kept

    def _weight(self, span: Found) -> tuple[int, int]:
        return self.severity(span.type), span.end - span.start


def longest(detectors: Sequence[Detector]) -> int:
    """Characters that a hit may take at most, from where its pattern begins to the end of its span."""
    return max((_longest(pattern) for detector in detectors for pattern in detector.patterns), default=0)


def _longest(pattern: Pattern) -> int:
    """Characters that the pattern may take from where it begins to the end of its span."""
    most = _parser.parse(pattern.exact or pattern.regex).getwidth()[1]
    return int(min(most, MAX_SPAN if pattern.has_value else pattern.width))
