"""Other readings of a text in which an instruction may hide: encodings, ciphers and spellings, nested.

Encoded runs (base64, base32, hex, percent, HTML and Unicode escapes, code numbers, Morse, bytes in invisible characters) read
as what they decode to; whole texts read as rot13, reversed, leet or spaced letters. Each is tried only where a cheap sign of it
is there. Depth, number and size of readings are capped, so that a small text cannot unfold into a large one: all readings
together hold at most `MAX_TOTAL` characters. Leaves out: compression, and ciphers that need a key.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from affiant.guards.injection.respell import respelled
from affiant.guards.text import Folded

MAX_DEPTH = 3
MAX_RUNS = 12
"""Encoded runs decoded in one text by one codec."""
MAX_READINGS = 24
MAX_DECODED = 16_384
"""Characters read of one decoded run."""
MAX_TOTAL = 65_536
"""Characters of all readings of one text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Another reading of a part of a text.

    Args:
        how: codecs from the source inwards, such as `base64+rot13`.
        text: what it reads as, case kept where the codec keeps it.
        start: of the part of the source that was decoded.
        end: of that part.
    """

    how: str
    text: str
    start: int
    end: int


Run = tuple[int, int, str]
"""start and end in the text that was searched, and what stands there when decoded."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:[\r\n]{1,2}[A-Za-z0-9+/_-]{16,})*={0,2}")
_BASE32 = re.compile(r"[A-Z2-7]{24,}={0,6}")
_HEX = re.compile(r"(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ ,:;]{0,2}(?:0x|\\x)?[0-9a-fA-F]{2}){7,}")
_HEX_PAIR = re.compile(r"(?:0x|\\x)?([0-9a-fA-F]{2})")
_PERCENT = re.compile(r"[^\s%&=?]{0,24}(?:%[0-9a-fA-F]{2}[^\s%]{0,64}){3,}")
_ENTITIES = re.compile(r"[^\s&]{0,16}(?:&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[a-zA-Z]{2,8});[^&]{0,8}){4,}")
_ESCAPES = re.compile(r"[^\s\\]{0,16}(?:(?:\\u\{?[0-9a-fA-F]{4}\}?|\\x[0-9a-fA-F]{2}|\\[0-3][0-7]{2}|U\+[0-9a-fA-F]{4})[^\\\n]{0,8}?){4,}")
_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4})\}?|\\x([0-9a-fA-F]{2})|U\+([0-9a-fA-F]{4})|\\([0-3][0-7]{2})")
_NUMBERS = re.compile(r"(?<!\d)(?:1[01]\d|12[0-6]|9[0-9]|[6-8]\d|3[2-9]|[45]\d|10)(?:[ ,;]{1,2}(?:1[01]\d|12[0-6]|[3-9]\d|10)){7,}(?!\d)")
_BINARY = re.compile(r"(?<![01])[01]{8}(?:[ ,]?[01]{8}){4,}(?![01])")
_MORSE = re.compile(r"[.-]{1,6}(?:[ /|]{1,3}[.-]{1,6}){7,}")
_SELECTED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,}")
_ZERO_ONE = re.compile("[\u200b-\u200d\u2060\ufeff]{32,}")
_NOT_BITS = re.compile("[^01]+")
_MORSE_CODES = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
_MORSE_LETTERS = dict(zip(_MORSE_CODES.split(), "abcdefghijklmnopqrstuvwxyz", strict=True))
_PART = re.compile(r" / |/|\||   ?")


def readings(folded: Folded) -> list[Reading]:
    """All other readings of a text, those of shallow depth first.

    Args:
        folded: the text.
    """
    found: list[Reading] = []
    total = 0
    level = [Reading("", folded.source, 0, len(folded.source))]
    for depth in range(MAX_DEPTH):
        inner: list[Reading] = []
        for outer in level:
            for how, start, end, text in _once(folded if depth == 0 else Folded(outer.text), outer.how):
                total += len(text)
                if len(found) == MAX_READINGS or total > MAX_TOTAL:
                    return found
                span = (start, end) if depth == 0 else (outer.start, outer.end)
                reading = Reading(f"{outer.how}+{how}" if outer.how else how, text, *span)
                found.append(reading)
                inner.append(reading)
        level = inner
    return found


def _once(folded: Folded, before: str) -> Iterator[tuple[str, int, int, str]]:
    source = folded.source
    if len(source) > 15:
        for how, sign, codec in _CODECS:
            if sign(source):
                for start, end, text in codec(source):
                    yield how, start, end, text
    if len(source) <= MAX_TOTAL:
        undone = before.rpartition("+")[2].partition("-")[0]
        for how, text in respelled(folded.text):
            if how.partition("-")[0] != undone:
                yield how, 0, len(source), text


def _runs(pattern: re.Pattern[str], source: str, decode: Callable[[str], bytes]) -> Iterator[Run]:
    for number, match in enumerate(pattern.finditer(source)):
        if number == MAX_RUNS:
            return
        try:
            text = _readable(decode(match.group()[: MAX_DECODED * 3]))
        except (binascii.Error, ValueError):
            continue
        if text:
            yield match.start(), match.end(), text


def _readable(data: bytes) -> str:
    """Bytes as text if they read as text: UTF-8 or UTF-16, almost only printable characters, mostly letters, digits and blanks."""
    utf16 = data[1:2] == b"\x00"
    text = data[: MAX_DECODED * 2].decode("utf-16-le" if utf16 else "utf-8", "ignore")
    if len(text) < 5 or (not utf16 and len(text.encode("utf-8")) < 0.97 * min(len(data), MAX_DECODED * 2)):
        return ""
    printable = sum(char.isprintable() or char in "\n\r\t" for char in text)
    wordy = sum(char.isalnum() or char == " " for char in text)
    if printable < 0.95 * len(text) or wordy < 0.7 * len(text):
        return ""
    return text[:MAX_DECODED]


def _unbase64(token: str) -> bytes:
    token = "".join(token.split()).rstrip("=").replace("-", "+").replace("_", "/")
    token = token[: len(token) - (len(token) % 4 == 1)]
    return base64.b64decode(token + "=" * (-len(token) % 4))


def _base64(source: str) -> Iterator[Run]:
    return _runs(_BASE64, source, _unbase64)


def _unbase32(token: str) -> bytes:
    token = token.rstrip("=")
    return base64.b32decode(token[: len(token) // 8 * 8])


def _base32(source: str) -> Iterator[Run]:
    return _runs(_BASE32, source, _unbase32)


def _hex(source: str) -> Iterator[Run]:
    return _runs(_HEX, source, lambda token: bytes.fromhex("".join(_HEX_PAIR.findall(token))))


def _numbers(source: str) -> Iterator[Run]:
    return _runs(_NUMBERS, source, lambda token: bytes(int(number) for number in re.findall(r"\d+", token)))


def _binary(source: str) -> Iterator[Run]:
    return _runs(_BINARY, source, lambda token: _bits(_NOT_BITS.sub("", token)))


def _bits(bits: str) -> bytes:
    return bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits) // 8 * 8, 8))


def _selected(source: str) -> Iterator[Run]:
    """Bytes written as variation selectors."""
    return _runs(
        _SELECTED,
        source,
        lambda token: bytes(ord(char) - 0xFE00 if char < "\U000e0100" else ord(char) - 0xE0100 + 16 for char in token),
    )


def _zero_one(source: str) -> Iterator[Run]:
    """Bits written as two invisible characters; whichever comes first is 0, as the first bit of ASCII."""
    return _runs(_ZERO_ONE, source, lambda token: _bits("".join("0" if char == token[0] else "1" for char in token)))


def _whole(pattern: re.Pattern[str], source: str, decode: Callable[[str], str]) -> Iterator[Run]:
    for number, match in enumerate(pattern.finditer(source)):
        if number == MAX_RUNS:
            return
        text = decode(match.group()[: MAX_DECODED * 6])[:MAX_DECODED]
        if len(text) > 4:
            yield match.start(), match.end(), text


def _percent(source: str) -> Iterator[Run]:
    return _whole(_PERCENT, source, _unpercent)


def _unpercent(token: str) -> str:
    data = re.sub(rb"%([0-9a-fA-F]{2})", lambda pair: bytes([int(pair[1], 16)]), token.encode("utf-8", "replace"))
    return data.decode("utf-8", "replace").replace("+", " ")


def _entities(source: str) -> Iterator[Run]:
    return _whole(_ENTITIES, source, html.unescape)


def _escapes(source: str) -> Iterator[Run]:
    return _whole(_ESCAPES, source, lambda token: _ESCAPE.sub(_unescape, token))


def _unescape(match: re.Match[str]) -> str:
    number = match.lastindex or 1
    return chr(int(match[number], 8 if number == 4 else 16))


def _morse(source: str) -> Iterator[Run]:
    for start, end, text in _whole(_MORSE, source, _unmorse):
        if text.count("?") <= len(text) // 8:
            yield start, end, text


def _unmorse(token: str) -> str:
    return " ".join("".join(_MORSE_LETTERS.get(letter, "?") for letter in part.split()) for part in _PART.split(token))


_LONG = re.compile(r"[A-Za-z0-9+/_-]{16}")
_CAPITALS = re.compile(r"[A-Z2-7]{24}")
_HEX_SIGN = re.compile(r"(?:[0-9a-fA-F]{2}[ ,:;]{0,2}(?:0x|\\x)?){8}")
_CODECS: tuple[tuple[str, Callable[[str], object], Callable[[str], Iterator[Run]]], ...] = (
    ("base64", _LONG.search, _base64),
    ("base32", _CAPITALS.search, _base32),
    ("hex", _HEX_SIGN.search, _hex),
    ("percent", lambda source: source.count("%") > 2, _percent),
    ("entities", lambda source: source.count("&") > 3 and ";" in source, _entities),
    ("escapes", lambda source: source.count("\\") > 3 or source.count("U+") > 3, _escapes),
    ("numbers", lambda source: source.count("1") > 5, _numbers),
    ("binary", lambda source: source.count("0") > 15 and source.count("1") > 10, _binary),
    ("morse", lambda source: source.count(".") + source.count("-") > 15 and (" ." in source or " -" in source), _morse),
    ("selectors", lambda source: not source.isascii() and _SELECTED.search(source), _selected),
    ("zero-width", lambda source: not source.isascii() and _ZERO_ONE.search(source), _zero_one),
)
