"""Sanitize: find characters that hide text from a reader, and give the text without them.

Zero-width characters, bidirectional overrides, tag characters, runs of variation selectors and stray control characters.
What scripts and emoji need stays: joiners inside emoji and inside Arabic, Persian and Indic words, word separators of Thai,
Khmer and Burmese, Mongolian selectors, direction marks, flag sequences. Leaves out: look-alike letters (they are folded for
matching in `text`, never replaced).
"""

from __future__ import annotations

import re
import unicodedata

ZERO_WIDTH, BIDI, TAGS, SELECTORS, CONTROL = "ZERO_WIDTH", "BIDI_CONTROL", "TAG_CHARACTERS", "VARIATION_SELECTORS", "CONTROL_CHARACTER"
TYPES = (ZERO_WIDTH, BIDI, TAGS, SELECTORS, CONTROL)

_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_SUSPECT = re.compile(
    "(?P<ZERO_WIDTH>[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]+)"
    "|(?P<BIDI_CONTROL>[\u202a-\u202e\u2066-\u2069]+)"
    "|(?P<TAG_CHARACTERS>[\U000e0001\U000e0020-\U000e007f]+)"
    "|(?P<VARIATION_SELECTORS>[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}|[\U000e0100-\U000e01ef])"
    "|(?P<CONTROL_CHARACTER>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+)"
)
_FLAG = "\U0001f3f4"
_FLAG_TAGS = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")

Span = tuple[int, int, str]


def find(text: str) -> list[Span]:
    """Spans of hiding characters in the text as it came."""
    if text.isascii():
        return [(match.start(), match.end(), CONTROL) for match in _ASCII_CONTROL.finditer(text)]
    return [(match.start(), match.end(), str(match.lastgroup)) for match in _SUSPECT.finditer(text) if not _wanted(text, match)]


def _wanted(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    if match.lastgroup == TAGS:
        return start > 0 and text[start - 1] == _FLAG and _FLAG_TAGS.fullmatch(text, start, end) is not None
    if match.lastgroup != ZERO_WIDTH or end - start != 1 or start == 0 or end == len(text):
        return False
    hidden, before, after = text[start], text[start - 1], text[end]
    if hidden == "\u200b":
        return _unspaced(before) and _unspaced(after)
    if "\u180b" <= hidden <= "\u180e":
        return "\u1800" <= before <= "\u18af"
    return hidden in "\u200c\u200d" and _joinable(before) and _joinable(after)


def _unspaced(char: str) -> bool:
    """Whether this character's script is written without blanks: Thai, Lao, Tibetan, Burmese, Khmer."""
    code = ord(char)
    return 0x0E00 <= code <= 0x0FFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x17FF


def _joinable(char: str) -> bool:
    """Whether a joiner beside this character has a use: emoji, variation selectors, combining marks, Arabic and Indic letters."""
    code = ord(char)
    if 0x0600 <= code <= 0x08FF or 0x0900 <= code <= 0x0DFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x18AF:
        return True
    return char == "\ufe0f" or unicodedata.category(char) in ("So", "Sk")


def without(text: str, spans: list[Span]) -> str:
    """The text without these spans."""
    pieces, cursor = [], 0
    for start, end, _ in spans:
        pieces.append(text[cursor:start])
        cursor = end
    pieces.append(text[cursor:])
    return "".join(pieces)
