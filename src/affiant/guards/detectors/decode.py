"""Other readings of a text in which an instruction may hide: base64, hex, leet, spaced letters, reversed, rot13.

Each reading is tried only where a cheap sign of it is there; depth and size are capped, so that a small text cannot unfold
into a large one. Works on folded text, except base64, which needs the source's case.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re

MAX_DEPTH = 2
MAX_CANDIDATES = 16
MAX_DECODED = 16_384  # characters read of one decoded payload

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{2}[ :]?){20,}")
_PERCENT = re.compile(r"(?:%[0-9a-f]{2}){8,}")
_SPACED = re.compile(r"(?<![a-z0-9])(?:[a-z0-9][ ._*|-]{1,2}){7,}[a-z0-9](?![a-z0-9])")
_NO_HEX = re.compile(r"[^0-9a-f]+")
_LEET_CHAR = re.compile(r"[013457@$]")
_LEET_SIGN = re.compile(r"[a-z][013457@$][a-z]|[013457@$][a-z]{2}")
_LEET = str.maketrans("013457@$!", "oieastasi")
_TRIGGERS = ("ignore", "disregard", "forget", "instruction", "prompt", "override", "jailbreak", "reveal")
_REVERSED = tuple(word[::-1] for word in _TRIGGERS)
_ROT13 = tuple(codecs.encode(word, "rot13") for word in _TRIGGERS)


def readings(source: str, folded: str, depth: int = 0) -> list[tuple[str, str]]:
    """Other readings as (how, text), decoded ones with their case kept."""
    found: list[tuple[str, str]] = []
    widths = list(map(len, folded.split()))
    longest = max(widths, default=0)
    if depth < MAX_DEPTH:
        if longest >= 24:
            _base64(source, found)
            _digits(_PERCENT, "percent", folded, found)
        if folded.count("6") + folded.count("7") + folded.count("2") >= 16:  # letters are 61 to 7a, a blank is 20
            _digits(_HEX, "hex", folded, found)
    if any(word in folded for word in _REVERSED):
        found.append(("reversed", folded[::-1]))
    if any(word in folded for word in _ROT13):
        found.append(("rot13", codecs.encode(folded, "rot13")))
    if _LEET_CHAR.search(folded) and _LEET_SIGN.search(folded):
        plain = folded.translate(_LEET)
        if any(word in plain and word not in folded for word in _TRIGGERS):
            found.append(("leet", plain))
    if longest >= 15 or widths.count(1) >= 8:
        for number, match in enumerate(_SPACED.finditer(folded)):
            if number >= MAX_CANDIDATES:
                break
            found.append(("spaced", _joined(match.group())))
    return found


def _base64(source: str, found: list[tuple[str, str]]) -> None:
    for number, match in enumerate(_BASE64.finditer(source)):
        if number >= MAX_CANDIDATES:
            break
        token = match.group()[: MAX_DECODED * 4 // 3].rstrip("=").replace("-", "+").replace("_", "/")
        token = token[: len(token) - (len(token) % 4 == 1)]
        try:
            _keep(base64.b64decode(token + "=" * (-len(token) % 4)), "base64", found)
        except (binascii.Error, ValueError):
            continue


def _digits(pattern: re.Pattern[str], how: str, folded: str, found: list[tuple[str, str]]) -> None:
    for number, match in enumerate(pattern.finditer(folded)):
        if number >= MAX_CANDIDATES:
            break
        digits = _NO_HEX.sub("", match.group()[: MAX_DECODED * 3])
        _keep(bytes.fromhex(digits[: len(digits) // 2 * 2]), how, found)


def _keep(data: bytes, how: str, found: list[tuple[str, str]]) -> None:
    """Keep what reads as text: UTF-8 (or UTF-16) with almost only printable characters and a space or letters."""
    try:
        text = data.decode("utf-16-le" if data[1:2] == b"\x00" else "utf-8")
    except UnicodeDecodeError:
        return
    printable = sum(char.isprintable() or char in "\n\r\t" for char in text)
    if len(text) >= 8 and printable >= 0.95 * len(text):
        found.append((how, text))


def _joined(text: str) -> str:
    """`i g n o r e  a l l` -> `ignore all`: single gaps vanish, wider ones part words."""
    letters = re.sub(r"(?<=[a-z0-9])[ ._*|-](?=[a-z0-9])", "", text)
    return re.sub(r"[ ._*|-]+", " ", letters)
