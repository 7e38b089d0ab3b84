"""What stands around a hit: words that confirm or deny it, and whether it is part of something longer.

Words of seven languages, and of Chinese and Japanese, are looked for in the text before a hit, since the text after it may not
have arrived yet. Only ASCII letters and digits glue a hit to its neighbours: beside other scripts every place is a border.
"""

from __future__ import annotations

import re

from affiant.guards.scan import Candidate

NEAR, WIDE = 40, 64
"""Characters before a hit in which a word must begin, for a bare number and for one with a form of its own."""

NEVER = -1_000_000
"""Where a word ends that is not there."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_WORD = _LETTERS | _DIGITS | frozenset("_")


def words(latin: str, other: str = "") -> re.Pattern[str]:
    """A pattern of context words, to be run on lower-case text (without the flag for case, alternatives are skipped at once).

    Args:
        latin: lower-case alternatives, each at the beginning of a word; whether one ends there too it says itself (`\\b`).
        other: alternatives of scripts that put no blanks between words.
    """
    pattern = rf"(?<![a-z])(?=[^\W\d_])(?:{latin})"
    return re.compile(rf"{pattern}|(?=[^\x00-\x7f])(?:{other})" if other else pattern)


def last(candidate: Candidate, pattern: re.Pattern[str], width: int = NEAR) -> int:
    """Where the last context word within `width` before the hit ends, relative to the hit; `NEVER` if there is none."""
    window, place = _window(candidate, width)
    end = NEVER
    for match in pattern.finditer(window, place):
        end = match.end() - len(window)
    return end


def seen(candidate: Candidate, pattern: re.Pattern[str], width: int = NEAR) -> bool:
    """Whether a context word begins within `width` before the hit."""
    return pattern.search(*_window(candidate, width)) is not None


def _window(candidate: Candidate, width: int) -> tuple[str, int]:
    """Text before a hit in lower case, and where in it words may begin: one character more is there to see where words do."""
    floor = candidate.start - width
    return (candidate.text[floor - 1 : candidate.start].lower(), 1) if floor > 0 else (candidate.text[: candidate.start].lower(), 0)


def glued(text: str, start: int, end: int) -> bool:
    """Whether a span is part of a longer word, number or code: letters, digits, or a joint with more of it beyond."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before[-1:] in _WORD or after[:1] in _WORD:
        return True
    if before[-1:] in ("-", ".", "/") and before[:1] in _WORD and len(before) > 1:
        return True
    return (after[:1] in ("-", "/") and after[1:] in _WORD) or (after[:1] in (".", ",", ":") and after[1:] in _DIGITS)


def token_start(text: str, start: int, most: int = WIDE) -> int:
    """Where the run of characters other than white space and quotes begins that `start` stands in."""
    floor = max(0, start - most)
    while start > floor and not text[start - 1].isspace() and text[start - 1] not in "\"'<>`":
        start -= 1
    return start


def in_url(text: str, start: int) -> bool:
    """Whether a span stands within a URL or a path."""
    if "/" not in text[max(0, start - WIDE) : start] and "www." not in text[max(0, start - WIDE) : start]:
        return False
    token = text[token_start(text, start) : start]
    return "://" in token or token.startswith(("/", "www.", "./", "~/"))
