"""JSON that arrives in pieces, such as the arguments of a tool call: each string in it goes through a scanner of its own.

Escapes are undone before a scanner sees a text and made anew in what it releases, wherever pieces were cut, so that the JSON stays
valid whatever a scanner puts in place of a span. Leaves out: JSON at hand as a whole (`jsontext`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from affiant.guards.places import jsontext

_RUN = re.compile(r'[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u]|\\u(?=[^0-9a-fA-F]|[0-9a-fA-F]{1,3}[^0-9a-fA-F])', re.DOTALL)
_HIGH_END = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_PARTIAL_LOW = re.compile(r"\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]{0,1})?)?)?\Z")
_PARTIAL_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
MAX_TOKEN = 4096  # characters of a number that are held until its end
_OUTSIDE = re.compile(r'[\[\]{},:\s]+|[^\s"\[\]{},:]+|"')


class Scanner(Protocol):
    """Scans one text as it arrives; may hold back."""

    def feed(self, text: str) -> str:
        """What may be released after this piece."""
        ...

    def finish(self) -> str:
        """The rest, at the end of the text."""
        ...


class JsonLane:
    """One JSON document in pieces. Is a `Scanner` of raw JSON itself.

    Args:
        scanner: gives a scanner for the next string of the document.
        text: decides about a whole text: a telling key, or a long number.
    """

    def __init__(self, scanner: Callable[[], Scanner], text: Callable[[str], str]) -> None:
        self._make, self._whole = scanner, text
        self._raw = ""  # not yet read: a cut escape, or a number that may go on
        self._scanner: Scanner | None = None  # of the open string that is a value
        self._key: list[str] | None = None  # of the open string that is a key
        self._levels: list[bool] = []  # whether each open level is an object
        self._key_next = False

    def feed(self, text: str) -> str:
        """What may be released after this piece."""
        self._raw += text
        return self._read(final=False)

    def finish(self) -> str:
        """The rest. An unclosed string stays unclosed."""
        released = self._read(final=True)
        if self._key is not None:
            released += self._close_key()
        elif self._scanner is not None:
            released += jsontext.encode(self._scanner.finish())
            self._scanner = None
        return released

    def _read(self, final: bool) -> str:
        out: list[str] = []
        place = 0
        while place < len(self._raw):
            inside = self._scanner is not None or self._key is not None
            moved = self._inside(place, out, final) if inside else self._outside(place, out, final)
            if moved == place:
                break
            place = moved
        self._raw = self._raw[place:]
        return "".join(out)

    # -- outside of strings

    def _outside(self, place: int, out: list[str], final: bool) -> int:
        match = _OUTSIDE.match(self._raw, place)
        assert match is not None
        piece, end = match.group(), match.end()
        if piece == '"':
            out.append(piece)
            if self._key_next:
                self._key = []
            else:
                self._scanner = self._make()
            return end
        if piece[0] in "[]{},: \t\r\n" or piece[0].isspace():
            self._structure(piece)
            out.append(piece)
            return end
        if end == len(self._raw) and not final and end - place < MAX_TOKEN:
            return place  # a number may go on
        if jsontext.harmless(piece):
            out.append(piece)
        else:
            text = self._whole(piece)
            out.append(piece if text == piece else jsontext.number(text) if jsontext.is_number(piece) else text)
        return end

    def _structure(self, piece: str) -> None:
        for char in piece:
            if char in "{[":
                self._levels.append(char == "{")
            elif char in "}]" and self._levels:
                self._levels.pop()
            if char in "{[}],":
                self._key_next = char in "{," and bool(self._levels) and self._levels[-1]
            elif char == ":":
                self._key_next = False

    # -- inside a string

    def _inside(self, place: int, out: list[str], final: bool) -> int:
        raw, start = self._raw, place
        while match := _RUN.match(raw, place):
            place = match.end()
        end = place
        if not final:
            if end == len(raw) and (high := _HIGH_END.search(raw, max(start, end - 6), end)):
                end = high.start()
            elif end < len(raw) and _PARTIAL_LOW.match(raw, end) and (high := _HIGH_END.search(raw[max(start, end - 6) : end])):
                end -= 6
        if end > start:
            self._take(jsontext.decode(raw[start:end]), out)
        if end < place:
            return end
        if place < len(raw) and raw[place] == '"':
            out.append(self._close())
            return place + 1
        if place < len(raw) and (final or not _PARTIAL_ESCAPE.match(raw, place)):
            self._take(raw[place], out)  # a backslash that begins no escape
            return place + 1
        return end

    def _take(self, text: str, out: list[str]) -> None:
        if self._key is not None:
            self._key.append(text)
        elif self._scanner is not None:
            out.append(jsontext.encode(self._scanner.feed(text)))

    def _close(self) -> str:
        if self._key is not None:
            return self._close_key() + '"'
        assert self._scanner is not None
        released = jsontext.encode(self._scanner.finish()) + '"'
        self._scanner = None
        return released

    def _close_key(self) -> str:
        assert self._key is not None
        key, self._key = "".join(self._key), None
        return jsontext.encode(self._whole(key) if jsontext.telling(key) else key)
