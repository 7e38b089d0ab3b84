"""Strings inside a text that is JSON itself: read with escapes undone, written back where they stood.

Nothing is re-serialized: only string literals whose text changed, and numbers that were replaced, are written anew, so that
duplicate keys, number forms and white space stay as they were. One pass, no recursion over the document's depth.
Leaves out: JSON that arrives in pieces (`jsonlane`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from affiant.guards.places.rules import BadShape

# A visitor takes (path below the document, whether it is a key, text) and gives the text to write.
Visit = Callable[[str, bool, str], str]

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^\s"\[\]{},:](?:[^"\[\]{},:]*[^\s"\[\]{},:])?|"', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNSAFE = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
_WRITTEN = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
LONG_NUMBER = 8  # digits in a row from which a number may be somebody's
_LONG = re.compile(rf"\d{{{LONG_NUMBER},}}")
MAX_TOKENS = 1_000_000  # of one document: bounds the time that a hostile one takes
MAX_LEVELS = 256  # of a path; deeper levels are read, and named by the last one
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}")


def decode(literal: str) -> str:
    """The text of a string literal's inside; escapes that JSON does not have stay as they are."""
    if "\\" not in literal:
        return literal
    text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _SIMPLE[m[2]], literal)
    return _PAIR.sub(lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), text) if not text.isascii() else text


def encode(text: str) -> str:
    """The inside of a string literal with this text."""
    return _UNSAFE.sub(lambda m: _WRITTEN.get(m[0]) or f"\\u{ord(m[0]):04x}", text)


def number(text: str) -> str:
    """How a replaced number is written: as a number where it still is one, else as a string."""
    return text if _NUMBER.fullmatch(text) else f'"{encode(text)}"'


def is_number(piece: str) -> bool:
    """Whether a piece is a number of JSON."""
    return _NUMBER.fullmatch(piece) is not None


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or array; False too where it is too deep to be checked."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text, parse_int=len, parse_float=len)
    except (ValueError, RecursionError):
        return False
    return True


def telling(key: str) -> bool:
    """Whether a key is more than a field's name, so that it may hold what a value holds."""
    return not _PLAIN_KEY.fullmatch(key) or sum(char.isdigit() for char in key) >= LONG_NUMBER - 1


def step(key: str, index: int) -> str:
    """One step of a path. A key that may hold personal data is named by its place, since paths are recorded."""
    return f"[#{index}]" if telling(key) else f".{key}"


def rewrite(document: str, where: str, visit: Visit) -> str:
    """The document with each string, key and long number as the visitor gives it.

    Args:
        document: JSON, or what was meant to be; in broken JSON what stands outside of strings is visited as it is.
        where: path of the document.
        visit: called in the document's order; keys only where `telling`.

    Raises:
        BadShape: it has too many tokens.
    """
    pieces: list[str] = []
    cursor = 0
    path: list[_Level] = []
    here = _Level(where, False)
    for count, match in enumerate(_TOKEN.finditer(document)):
        if count >= MAX_TOKENS:
            raise BadShape(f"The JSON at `{where[:80]}` has more than {MAX_TOKENS:,} tokens.", "Send it in several requests.")
        piece = match.group()
        if piece in ("{", "["):
            path.append(here)
            here = _Level(here.child() if len(path) < MAX_LEVELS else here.where, piece == "[")
            continue
        if piece in ("}", "]"):
            here = path.pop() if path else _Level(where, False)
            continue
        if piece in (",", ":"):
            here.separate(piece)
            continue
        written = piece
        if len(piece) > 1 and piece[0] == '"':
            written = _string(piece, here, visit, not here.array and here.in_key and bool(path))
        elif piece != '"' and not harmless(piece):
            text = visit(here.child(), False, piece)
            if text != piece:
                written = number(text) if is_number(piece) else text
        elif piece == '"':  # an unclosed string runs to the end
            rest = document[match.start() + 1 :]
            text = visit(here.child(), False, decode(rest))
            pieces.append(document[cursor : match.start() + 1])
            pieces.append(rest if text == decode(rest) else encode(text))
            return "".join(pieces)
        if written is not piece:
            pieces.append(document[cursor : match.start()])
            pieces.append(written)
            cursor = match.end()
    return document if not pieces else "".join([*pieces, document[cursor:]])


class _Level:
    """Where the reader stands within one object or array."""

    __slots__ = ("array", "in_key", "index", "key", "where")

    def __init__(self, where: str, array: bool) -> None:
        self.where, self.array, self.index, self.key, self.in_key = where, array, 0, "", not array

    def child(self) -> str:
        """Path of the value that comes next."""
        return f"{self.where}[{self.index}]" if self.array else f"{self.where}{self.key}"

    def separate(self, piece: str) -> None:
        if piece == ",":
            self.index, self.in_key = self.index + 1, not self.array
        else:
            self.in_key = False


def _string(piece: str, here: _Level, visit: Visit, key: bool) -> str:
    inside = piece[1:-1]
    text = decode(inside)
    if key:
        here.key = step(text, here.index)
        if not telling(text):
            return piece
    if not text:
        return piece
    changed = visit(here.child(), key, text)
    return piece if changed == text else f'"{encode(changed)}"'


def harmless(piece: str) -> bool:
    """Whether a piece outside of strings says nothing: a word of JSON, or a number too short to be somebody's."""
    return piece in ("true", "false", "null") or (is_number(piece) and not _LONG.search(piece))
