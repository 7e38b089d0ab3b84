"""Reading millions of entries that are written alike, without parsing each as JSON, and without being less strict.

Once an entry has been read strictly (`canonical`), its *shape* is kept: a regular expression of its very bytes in which each string
is left open to any string without escapes and each integer to any canonical one. Whatever matches a shape as a whole is canonical JSON with
the same keys and types, because everything else in it is literally the same; its values are the groups. What matches no shape is read
strictly. Rows of views are then a choice of groups (SQLite turns digits into integers where a column is BIGINT).
Leaves out: types of which the verifier keeps whole entries (`scan` reads those strictly).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Callable, Dict, List, Match, Optional, Sequence, Tuple, Union

from .views import ABSENT, View, walk

MAX_SHAPES = 400
LEARN_AT = 3
_LITERAL = frozenset({"type", "v", "tv"})
_STRING = r'"([^"\\\x00-\x1f]*)"'
# 0, or up to 15 digits, or 16 that begin with less than 9: all below 2^53, without leading zeros. And 2^53 - 1, at which clocks stop.
_INTEGER = r"(0|-?[1-9][0-9]{0,14}|-?[1-8][0-9]{15}|9007199254740991)"
Row = Callable[[Tuple[Any, ...]], Tuple[Any, ...]]


@dataclass(frozen=True)
class Slot:
    """Stands for the value of one group, by its place among the values of an entry."""

    place: int


class _Outline:
    """Writes the expression of one entry and, beside it, the entry with slots in place of values."""

    def __init__(self) -> None:
        self.slots = 0

    def of(self, value: Any, top: bool = False) -> Tuple[str, Any]:
        if type(value) is dict:
            parts: List[str] = []
            found: Dict[str, Any] = {}
            for key, inner in value.items():
                if top and key in _LITERAL:
                    pattern, found[key] = re.escape(json.dumps(inner, ensure_ascii=False)), inner
                else:
                    pattern, found[key] = self.of(inner)
                parts.append(f'"{key}":{pattern}')
            return r"\{" + ",".join(parts) + r"\}", found
        if type(value) is list:
            inner_parts = [self.of(inner) for inner in value]
            return r"\[" + ",".join(part for part, _ in inner_parts) + r"\]", [outline for _, outline in inner_parts]
        self.slots += 1
        return (_STRING if type(value) is str else _INTEGER), Slot(self.slots - 1)


class Shape:
    """One shape: `match(text)` gives the values of an entry, or None; the rest says where to find what.

    Args:
        envelope: of an entry that was read strictly.
        views: of its type.
    """

    def __init__(self, envelope: Dict[str, Any], views: Sequence[View]) -> None:
        outline = _Outline()
        pattern, found = outline.of(envelope, top=True)
        self._match = re.compile(pattern).fullmatch
        self.type: str = envelope["type"]
        self.producer, self.seq, self.at = (found[name].place for name in ("producer", "seq", "at"))
        self.ref = found["ref"].place if "ref" in found else -1
        commitment = walk(found, ("body", "commit_received"))
        self.commitment = commitment.place if isinstance(commitment, Slot) else -1
        self._extra: List[Union[int, str]] = []
        self._slots = outline.slots
        self.rows: List[Tuple[str, Row]] = [(view.name, choose) for view in views for choose in self._rows(view, found)]
        self.constants = tuple(self._extra)

    def match(self, text: str) -> "Optional[Match[str]]":
        return self._match(text)

    def _constant(self, value: Union[int, str]) -> int:
        """Place of a constant behind index and groups."""
        self._extra.append(value)
        return 1 + self._slots + len(self._extra) - 1

    def _rows(self, view: View, found: Dict[str, Any]) -> "List[Row]":
        each = walk(found, tuple(view.each.split("."))) or [] if view.each else [None]
        rows: List[Row] = []
        for number, element in enumerate(each):
            places = [0, self._constant(number), self._place(found["at"], 0), self._place(found.get("tenant"), "")]
            for column in view.columns:
                steps = tuple(column.path.split("."))
                value = walk(element, steps[1:]) if steps[0] == "each" else walk(found, steps)
                places.append(self._place(value, ABSENT[column.kind]))
            rows.append(itemgetter(*places))
        return rows

    def _place(self, value: Any, absent: Union[int, str]) -> int:
        return 1 + value.place if isinstance(value, Slot) else self._constant(absent if value is None else value)


class Shapes:
    """The shapes met so far. Bounded: an entry of a new shape beyond the limit is read strictly, whoever made it.

    Args:
        views_of: gives the views of an event type.
    """

    def __init__(self, views_of: Callable[[str], Sequence[View]]) -> None:
        self._views_of = views_of
        self._known: Dict[Tuple[bytes, int], List[Shape]] = {}
        self._met: Dict[Tuple[bytes, int], int] = {}
        self._count = 0

    def types(self) -> "List[str]":
        """The event types of which there is a shape."""
        return sorted({shape.type for shapes in self._known.values() for shape in shapes})

    @staticmethod
    def key(data: bytes) -> Tuple[bytes, int]:
        """What entries of one shape have in common at a glance: their end, which names the type, and how many keys they have."""
        return data[data.rfind(b'"type":') :], data.count(b'":')

    def match(self, key: Tuple[bytes, int], data: bytes) -> "Optional[Tuple[Shape, Tuple[str, ...]]]":
        """Shape and values of an entry; None if it must be read strictly."""
        shapes = self._known.get(key)
        if not shapes:
            return None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return None
        for number, shape in enumerate(shapes):
            match = shape.match(text)
            if match is not None:
                if number:
                    shapes.insert(0, shapes.pop(number))
                return shape, match.groups()
        return None

    def learn(self, key: Tuple[bytes, int], envelope: Dict[str, Any]) -> None:
        """Take notice of an entry that was read strictly; the third of its kind becomes a shape."""
        met = self._met[key] = self._met.get(key, 0) + 1 if len(self._met) < 10_000 or key in self._met else 0
        if met < LEARN_AT or self._count >= MAX_SHAPES or len(self._known.get(key, ())) >= 16:
            return
        self._count += 1
        self._known.setdefault(key, []).insert(0, Shape(envelope, self._views_of(envelope["type"])))
