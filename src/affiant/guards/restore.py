"""Restoring: placeholders found again in what a model wrote, in whatever form it wrote them, whole or in pieces.

A model keeps a placeholder's letters and digits, and changes what stands around them: case, separators, brackets, markdown or JSON
escapes, percent-encoding. Each form is recognized, and the original is escaped as its form was. In a stream only the longest suffix is
held that may still become a placeholder of this exchange. What looks like a placeholder and is none of this exchange stays as it is
and is counted. Leaves out: which placeholder a value gets (`redact`), stand-ins that keep a value's shape (`redact_shapes`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Protocol

from affiant.guards import redact_shapes
from affiant.guards.places import jsontext
from affiant.guards.redact_shapes import Form, percent, plain

BODY = 8  # characters after the label of a keyed placeholder
_OPEN, _CLOSE = r"(?:\\?\[|%5[Bb]|\\u005[Bb])", r"(?:\\?\]|%5[Dd]|\\u005[Dd])"
_UNESCAPED = r"(?:\[|%5[Bb]|\\u005[Bb])"
_SEPARATOR = r"(?:\\?_|[-\u2011]|%5[Ff]|\\u005[Ff])"
_LOOSE = r"(?:\\?_|[-\u2011 ]|%5[Ff]|\\u005[Ff])"
KEYED_BODY = r"[B-DF-HJ-NP-TV-Z][2-9][0-9B-DF-HJ-NP-TV-Z]{2}[B-DF-HJ-NP-TV-Z][2-9][0-9B-DF-HJ-NP-TV-Z]{2}"
_KEYED = re.compile(KEYED_BODY)
_SEPARATORS = re.compile(_LOOSE)
_GATE = re.compile(r"[\[\\%]|(?<![A-Za-z0-9])[A-Z]")
_PIECE = re.compile(
    rf"(?P<open>{_OPEN})|(?P<close>{_CLOSE})|(?P<sep>{_LOOSE})|(?P<word>[A-Za-z0-9]+)|(?P<cut>\\(?:u(?:0(?:05?)?)?)?\Z|%5?\Z)"
)
_BARE = re.compile(r"[A-Z_]*(?:_[A-Za-z0-9]*)?")
_LONGEST_ESCAPE = 6


class Known(Protocol):
    """The placeholders of one exchange."""

    originals: dict[str, str]
    undone: bool
    made_up: int
    forms: Forms


def canonical(text: str) -> str:
    """A placeholder's name, from any of its forms without brackets."""
    return f"[{_SEPARATORS.sub('_', text).upper()}]"


class Forms:
    """The forms in which the placeholders of one exchange may come back."""

    def __init__(self) -> None:
        self._names: list[str] = []  # sorted; `[LABEL_BODY]`, and `LABEL_BODY` of keyed ones
        self._labels: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._longest = 0
        self.shapes = redact_shapes.Shapes()

    def add(self, name: str) -> None:
        """Know one more placeholder, in its canonical form."""
        core = name[1:-1]
        label, _, body = core.rpartition("_")
        insort(self._names, name)
        if len(body) == BODY:
            insort(self._names, core)
        self._longest = max(self._longest, len(name) + (2 + core.count("_")) * _LONGEST_ESCAPE)
        if label not in self._labels:
            self._labels.add(label)
            self._pattern = None

    def find(self, text: str, start: int = 0) -> Iterator[Form]:
        """Placeholders of any form at or after `start`, of this exchange or not, in their order."""
        if self._labels:
            for match in self._compiled().finditer(text, start):
                opened, bracketed, bare = match["open"], match["bracketed"], match["bare"]
                core = bracketed or bare
                escape = opened or core
                close = percent if "%" in escape else jsontext.encode if "\\u" in escape else plain
                yield Form(match.start(), match.end(), canonical(core), close)
        yield from self.shapes.find(text, start)

    def held(self, text: str, start: int = 0) -> int:
        """Length of the longest suffix that may still become a placeholder of this exchange."""
        held = self.shapes.held(text, start)
        if self._labels:
            for match in _GATE.finditer(text, max(start, len(text) - self._longest)):
                if len(text) - match.start() <= held:
                    break
                if self._may_become(text, match.start()):
                    return len(text) - match.start()
        return held

    def _may_become(self, text: str, place: int) -> bool:
        pieces: list[str] = []
        cut = loose = False
        while place < len(text):
            match = _PIECE.match(text, place)
            if match is None:
                return False
            kind = match.lastgroup
            cut = kind == "cut"
            loose = loose or match.group() == " "
            pieces.append({"open": "[", "close": "]", "sep": "_", "cut": ""}.get(str(kind), match.group()))
            place = match.end()
        read = "".join(pieces)
        if not read.startswith("[") and read and (loose or not _BARE.fullmatch(read)):
            return False
        if cut:
            return any(self._begins(read.upper() + char, complete=True) for char in "[_]")
        return self._begins(read.upper(), complete=False)

    def _begins(self, read: str, complete: bool) -> bool:
        """Whether a known name begins so, and goes on unless it may be complete."""
        place = bisect_left(self._names, read)
        while place < len(self._names) and self._names[place].startswith(read):
            if complete or self._names[place] != read:
                return True
            place += 1
        return False

    def _compiled(self) -> re.Pattern[str]:
        if self._pattern is None:
            labels = sorted(self._labels, key=len, reverse=True)
            loose = "|".join(_LOOSE.join(map(re.escape, label.split("_"))) for label in labels)
            strict = "|".join(_SEPARATOR.join(map(re.escape, label.split("_"))) for label in labels)
            self._pattern = re.compile(
                rf"(?P<open>(?P<escaped>\\(?=\[))?{_UNESCAPED})(?P<bracketed>(?i:{loose}){_LOOSE}(?:[A-Za-z0-9]{{{BODY}}}|[0-9]{{1,6}}))"
                rf"(?(escaped)\\\]|{_CLOSE})"  # a backslash goes only as one of a pair: before a plain form it is the caller's own
                rf"|(?<![A-Za-z0-9])(?P<bare>(?:{strict}){_SEPARATOR}[A-Za-z0-9]{{{BODY}}})"
            )
        return self._pattern


def _place(form: Form) -> tuple[int, int]:
    return form.start, form.end


def restore(known: Known, text: str, start: int = 0) -> str:
    """The text from `start` with every placeholder of this exchange undone."""
    pieces: list[str] = []
    cursor = start
    for form in sorted(known.forms.find(text, start), key=_place):
        original = known.originals.get(form.name)
        if original is None:
            known.made_up += _KEYED.fullmatch(form.name[-BODY - 1 : -1]) is not None
        elif form.start >= cursor:
            known.undone = True
            pieces += [text[cursor : form.start], form.close(original)]
            cursor = form.end
    return "".join([*pieces, text[cursor:]])


class Restorer:
    """Undoes placeholders in a stream, holding only what may still become one.

    Args:
        pseudonyms: of the exchange.
    """

    def __init__(self, pseudonyms: Known) -> None:
        self._known = pseudonyms
        self._text = ""  # the last character that was let go, then what is held
        self._begin = 0

    def feed(self, text: str) -> str:
        """What can be released after this piece."""
        if not self._known.originals:
            return text
        return self._release(text, final=False)

    def finish(self) -> str:
        """The rest."""
        return self._release("", final=True)

    def _release(self, piece: str, final: bool) -> str:
        text, begin = self._text + piece, self._begin
        keep = 0 if final else self._known.forms.held(text, begin)
        end = len(text) - keep
        released = restore(self._known, text[:end], begin)
        self._begin = 1 if end else 0
        self._text = text[max(0, end - 1) :]
        return released


__all__ = ["BODY", "KEYED_BODY", "Form", "Forms", "Known", "Restorer", "canonical", "restore"]
