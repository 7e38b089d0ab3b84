"""Where a stream may be cut so that no span of a detector crosses the cut.

A cut depends on the text alone, never on how it arrived in pieces: that is what makes every chunking give the same result.
"""

from __future__ import annotations

import re

from affiant.guards.detectors.secrets.seed_words import PLACE
from affiant.guards.text import fold_char

MAX_TOKEN = 1024
"""Source characters without a safe place after which a cut is forced."""
_AHEAD = 32  # characters beyond MAX_TOKEN that must be there, so that a safe place at MAX_TOKEN itself is seen
_KEEP = 384  # of a forced window: more than the longest span

LEFT, RIGHT = 40, 24
"""Characters of the same line before and after a blank that must hold no digit, so that no number, address or the like crosses it."""

_DIGIT = re.compile(r"\d")
_WORDS = re.compile("[A-Za-z]+")


def safe(text: str, place: int) -> bool:
    """Whether no span may cover both `text[place - 1]` and `text[place]`; unknown yet counts as no.

    A line's end is safe; a blank is, where no digit is near it on its line and it is not amid words of a mnemonic. Beside a character
    that folds to none of ASCII (CJK and the like) every place is safe. An invisible character never makes a place safe.
    """
    before, after = fold_char(text[place - 1]), fold_char(text[place])
    if not before or not after:
        return False
    if not before[-1].isascii() or not after[0].isascii():
        return True
    if not after.isspace() or before[-1].isspace():
        return False
    if after != " ":
        return True
    end = text.find("\n", place, place + RIGHT)
    if end < 0:
        end = place + RIGHT
        if end > len(text):
            return False
    start = max(text.rfind("\n", max(0, place - LEFT), place), place - LEFT, 0)
    return _DIGIT.search(text, start, end) is None and not _in_mnemonic(text[start:place], text[place:end])


def _in_mnemonic(before: str, after: str) -> bool:
    """Whether three words around a blank are of the list that mnemonics are made of, and not one word three times.

    A word that is not at its end yet may be of the list. Text that repeats a word would have no place to cut; a mnemonic that holds the
    same word three times in a row is one in two hundred thousand.
    """
    left = _WORDS.findall(before)[-2:]
    if not left or left[-1].lower() not in PLACE:
        return False
    right = [(match.group().lower(), match.end() == len(after)) for match in _WORDS.finditer(after)][:2]
    may = [open_ or word in PLACE for word, open_ in right] + [True] * (2 - len(right))
    around = [word.lower() for word in left] + [word for word, open_ in right if not open_]
    if any(around[at] == around[at + 1] == around[at + 2] for at in range(len(around) - 2)):
        return False
    return may[0] and (may[1] or (len(left) > 1 and left[0].lower() in PLACE))


def last_safe(text: str, limit: int) -> int:
    """The last safe place in `1..limit`; 0 if there is none."""
    place = min(limit, len(text) - 1)
    plain = text.isascii()
    while place > 0:
        if plain:
            place = max(text.rfind(blank, 0, place + 1) for blank in " \n\t\r")
            if place <= 0:
                return 0
        if safe(text, place):
            return place
        place -= 1
    return 0


def overlong(text: str, ahead: int = 0) -> bool:
    """Whether the canonical walk must be taken: more pending text than one window, and `ahead` characters beyond."""
    return len(text) > MAX_TOKEN + max(_AHEAD, ahead)


def window_cut(text: str) -> tuple[int, bool]:
    """Where to cut an overlong pending text: (place, forced).

    The last safe place within the first window; if there is none, the place at which a forced cut is considered: what begins
    before it is complete within the window.
    """
    place = last_safe(text[: MAX_TOKEN + 2], MAX_TOKEN)
    return (place, False) if place else (MAX_TOKEN - _KEEP, True)
