"""Mending an answer that was to be JSON: fences and words around it, trailing commas, comments, quotes, Python's words, open ends.

A mended text is given only if it decodes and satisfies what was asked; nothing is invented but closing marks. Linear in the
length of the text. Leaves out: prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from affiant.guards.quality import form
from affiant.guards.quality.model import Asked, Validate

MAX_CHARS = 1_000_000
_FENCED = re.compile(r"```[ \t]*[\w+-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null", "NaN": "null", "undefined": "null"}
_BARE = re.compile(r"[A-Za-z_$][\w$]*")
_CURLY = {"“": "”", "„": "“", "'": "'", "‘": "’", "`": "`"}
_PARTNER = {"{": "}", "[": "]"}


def repair(text: str, asked: Asked, validate: Validate | None) -> str | None:
    """A text that decodes as JSON and satisfies `asked`, or None where none was found. A text that is right already is given as it is.

    Without a validator a schema cannot be satisfied, and nothing is given.
    """
    if len(text) > MAX_CHARS or not (asked.json or asked.schema is not None):
        return None
    for candidate in dict.fromkeys(_candidates(text)):
        if not any(form.check(candidate, asked, validate)):
            return candidate
    return None


def certain(text: str, asked: Asked, validate: Validate) -> str | None:
    """As `repair`, but only where there is one reading: nothing was left open, nothing with brackets stands beside it, and every way to
    read the text gives the same value."""
    if len(text) > MAX_CHARS:
        return None
    made: dict[bytes, str] = {}
    for candidate in dict.fromkeys(_whole(text)):
        if not any(form.check(candidate, asked, validate)):
            made.setdefault(msgspec.json.encode(form.decode(candidate), order="sorted"), candidate)
    return next(iter(made.values())) if len(made) == 1 else None


def _whole(text: str) -> Iterator[str]:
    """Readings in which all of the data is there."""
    stripped = text.strip().removeprefix("\ufeff").strip()
    starts = [place for place in (stripped.find("{"), stripped.find("[")) if place >= 0]
    yield stripped
    for body in (*(match.group(1).strip() for match in _FENCED.finditer(stripped)), stripped[min(starts) :] if starts else ""):
        if body[:1] in _PARTNER:
            mended, end, closed = _mended(body)
            if closed and not any(char in body[end:] for char in _PARTNER):
                yield mended


def _candidates(text: str) -> list[str]:
    """Readings of the text, the least changed first."""
    stripped = text.strip().removeprefix("\ufeff").strip()
    bodies = [stripped]
    bodies.extend(match.group(1).strip() for match in _FENCED.finditer(stripped))
    starts = [place for place in (stripped.find("{"), stripped.find("[")) if place >= 0]
    if starts:
        start = min(starts)
        bodies.append(stripped[start:])
        end = stripped.rfind(_PARTNER[stripped[start]])
        if end > start:
            bodies.append(stripped[start : end + 1])
    return [*bodies, *(_mend(body) for body in bodies if body[:1] in _PARTNER)]


def _mend(text: str) -> str:
    return _mended(text)[0]


def _mended(text: str) -> tuple[str, int, bool]:
    """Read leniently, write strictly, to where the outermost bracket closes; that text, where it ends, and whether nothing was open."""
    out: list[str] = []
    open_: list[str] = []
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char == '"' or char in _CURLY:
            piece, at = _string(text, at)
            out.append(piece)
            continue
        if text.startswith(("//", "#"), at):
            line = text.find("\n", at)
            at = end if line < 0 else line
            continue
        if text.startswith("/*", at):
            close = text.find("*/", at)
            at = end if close < 0 else close + 2
            continue
        if char in _PARTNER:
            open_.append(_PARTNER[char])
            out.append(char)
        elif char in "]}":
            _drop_comma(out)
            if open_ and open_[-1] == char:
                open_.pop()
                out.append(char)
            if not open_:
                return "".join(out), at + 1, True
        else:
            word = _BARE.match(text, at)
            if word:
                out.append(_word(word.group(), text, word.end()))
                at = word.end()
                continue
            out.append(char)
        at += 1
    _drop_comma(out)
    return "".join(out) + "".join(reversed(open_)), end, False


def _word(word: str, text: str, end: int) -> str:
    """A bare word: Python's constants, JSON's own, or a key without quotes."""
    known = _WORDS.get(word)
    if known:
        return known
    following = text[end : end + 40].lstrip()
    return f'"{word}"' if following.startswith(":") else word


def _string(text: str, at: int) -> tuple[str, int]:
    """A string from its opening mark: as JSON, and where it ends. An open one ends with the text."""
    opening = text[at]
    closing = '"' if opening == '"' else _CURLY[opening]
    out = ['"']
    at += 1
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            out.append(char + text[at + 1] if text[at + 1] in '"\\/bfnrtu' else text[at + 1])
            at += 2
            continue
        if char == closing:
            return "".join(out) + '"', at + 1
        if char == '"':
            out.append('\\"')
        elif char < " ":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, f"\\u{ord(char):04x}"))
        else:
            out.append(char)
        at += 1
    return "".join(out) + '"', at


def _drop_comma(out: list[str]) -> None:
    """Take away a comma that nothing follows, with the space after it."""
    place = len(out)
    while place and out[place - 1].isspace():
        place -= 1
    if place and out[place - 1] == ",":
        del out[place - 1 :]
