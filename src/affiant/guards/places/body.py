"""Whole bodies: opened into parts, and rebuilt from changed ones. Leaves out: streams (`stream`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from affiant.guards.model import Part, Role
from affiant.guards.places.table import ANSWERS, REQUESTS
from affiant.guards.places.walk import BadShape, Context, Json, Uninspected, Walk
from affiant.kit.errors import BadInput

SURFACES = tuple(REQUESTS)


class FixedPlace(BadInput):
    """A part that must match elsewhere was changed; nothing was written."""

    code = "fixed_place"


@dataclass(frozen=True, slots=True)
class Opened:
    """A body, opened.

    Args:
        parts: every string in the body's order; a part without text stands for something that cannot be read.
        fixed: indices of parts that may be looked at and never changed: identifiers and words of the protocol.
        unknown: names of fields that the format does not have, as this version knows it.
        uninspected: what cannot be read, and where.
        withheld: whether writing back leaves something out, though no part changes.
    """

    parts: tuple[Part, ...]
    fixed: frozenset[int]
    unknown: frozenset[str]
    uninspected: tuple[Uninspected, ...]
    withheld: bool = False


class _Reader:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.fixed: set[int] = set()

    def text(self, part: Part, fixed: bool) -> str:
        if fixed:
            self.fixed.add(len(self.parts))
        self.parts.append(part)
        return part.text

    def whole(self, text: str) -> str | None:
        return None


class _Writer:
    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts, self._next = parts, 0

    def text(self, part: Part, fixed: bool) -> str:
        if self._next >= len(self._parts):
            raise BadInput("There are fewer parts than the body has places.", "Pass all parts that `read` gave, in their order.")
        new = self._parts[self._next]
        self._next += 1
        if new.where != part.where:
            raise BadInput(
                f"A part is for `{new.where}`, the place is `{part.where}`.", "Keep parts in the order in which `read` gave them."
            )
        if fixed and new.text != part.text:
            raise FixedPlace(
                f"`{part.where}` must match elsewhere and cannot be rewritten.", "Let it pass, or refuse the exchange; see `Opened.fixed`."
            )
        return new.text

    def whole(self, text: str) -> str | None:
        return None

    def done(self) -> None:
        if self._next != len(self._parts):
            raise BadInput("There are more parts than the body has places.", "Pass the parts of this body only.")


class _Rewriter:
    def __init__(self, change: Callable[[Part], str], look: Callable[[Part], object] | None) -> None:
        self._change, self._look = change, look

    def text(self, part: Part, fixed: bool) -> str:
        if not fixed:
            return self._change(part)
        if self._look is not None and part.text:
            self._look(part)
        return part.text

    def whole(self, text: str) -> str | None:
        return None


def _walk(body: Json, surface: str, answer: bool, walk: Walk) -> Json:
    shape = (ANSWERS if answer else REQUESTS).get(surface)
    if shape is None:
        raise BadInput(f"`{surface}` is no surface.", f"Use one of {', '.join(SURFACES)}.")
    if not isinstance(body, dict):
        raise BadShape("The body is no JSON object.", "Send an object.")
    return walk.object(body, "", shape, Context(Role.ASSISTANT if answer else Role.USER))


def read(body: Json, surface: str, answer: bool = False) -> Opened:
    """Open a body.

    Args:
        body: decoded JSON object; left as it is.
        surface: one of `SURFACES`.
        answer: whether it is an answer rather than a request.

    Raises:
        BadShape: no object, too deep, or too many strings.
    """
    reader = _Reader()
    walk = Walk(reader)
    made = _walk(body, surface, answer, walk)
    return Opened(tuple(reader.parts), frozenset(reader.fixed), frozenset(walk.unknown), tuple(walk.uninspected), made is not body)


def parts(body: Json, surface: str, answer: bool = False) -> tuple[Part, ...]:
    """The parts of a body; see `read`."""
    return read(body, surface, answer).parts


def put(body: Json, surface: str, parts: Sequence[Part], answer: bool = False) -> Json:
    """The body with the texts of `parts` where they came from; only changed branches are copied.

    Args:
        body: as it was given to `read`; left as it is.
        parts: all of its parts, in order; those that `Opened.fixed` names unchanged.

    Raises:
        FixedPlace: an identifier was changed.
        BadInput: they are not the parts of this body.
    """
    writer = _Writer(parts)
    made = _walk(body, surface, answer, Walk(writer))
    writer.done()
    return made


def rewrite(
    body: Json, surface: str, change: Callable[[Part], str], answer: bool = False, look: Callable[[Part], object] | None = None
) -> tuple[Json, Walk]:
    """Read and write in one walk.

    Args:
        change: gives the text for a part; not asked about what is fixed.
        look: told of what is fixed and has a text.

    Returns:
        The body, and the walk with what is unknown and uninspected.
    """
    walk = Walk(_Rewriter(change, look))
    return _walk(body, surface, answer, walk), walk
