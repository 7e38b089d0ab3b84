"""How much work a Python pattern is: its steps of backtracking on hostile texts, counted instead of timed.

Hostile texts are made from the pattern itself: each repetition in it is pumped and then made to fail. Leaves out: judging patterns
(`lint`), and constructs that patterns of detectors have no need of (back-references, conditionals).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

PUMP = 48
"""Characters of a pumped repetition, about."""
BUDGET = 20_000
"""Steps on one hostile text from which on a pattern counts as slow; a linear one takes some hundreds."""
FAILING = "\x00"
_MOST_WAYS = 12  # alternatives of one repetition that are pumped

Node = tuple[Any, Any]
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


class NotUnderstood(ValueError):
    """A construct that cannot be judged, by name."""


class _Spent(Exception):
    """The budget is used up."""


def worst(pattern: re.Pattern[str], budget: int = BUDGET) -> tuple[int, str]:
    """The most steps that one hostile text takes, at most `budget` + 1, and that text.

    Raises:
        NotUnderstood: the pattern uses a back-reference or a conditional.
    """
    tree = list(_parser.parse(pattern.pattern, pattern.flags & (re.IGNORECASE | re.DOTALL | re.VERBOSE | re.MULTILINE | re.ASCII)))
    most, hostile = 0, ""
    for text in _hostile(tree):
        steps = _Matcher(text, bool(pattern.flags & re.IGNORECASE), budget).steps(tree)
        if steps > most:
            most, hostile = steps, text
    return most, hostile


def has_unbounded(pattern: re.Pattern[str]) -> bool:
    """Whether any repetition has no upper bound: then each hit may cost the whole text."""
    tree = list(_parser.parse(pattern.pattern, pattern.flags))
    return any(op in _REPEATS and argument[1] is codes.MAXREPEAT for op, argument in _walk(tree))


def _children(node: Node) -> list[list[Node]]:
    op, argument = node
    if op in _REPEATS:
        return [list(argument[2])]
    if op is codes.SUBPATTERN:
        return [list(argument[3])]
    if op is codes.BRANCH:
        return [list(way) for way in argument[1]]
    if op in (codes.ASSERT, codes.ASSERT_NOT):
        return [list(argument[1])]
    return [list(argument)] if op is codes.ATOMIC_GROUP else []


def _walk(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for child in _children(node):
            yield from _walk(child)


# -- hostile texts


def _hostile(tree: list[Node]) -> Iterator[str]:
    """For each repetition, a text that reaches it, pumps it and fails."""
    yield _witness(tree, None)[0] + FAILING
    for op, argument in _walk(tree):
        if op in _REPEATS and (argument[1] is codes.MAXREPEAT or argument[1] > 4):
            ways = max((len(inner[1]) for kind, inner in _walk(list(argument[2])) if kind is codes.BRANCH), default=1)
            for way in range(min(ways, _MOST_WAYS)):
                text, reached = _witness(tree, argument, way)
                if reached:
                    yield text + FAILING


def _witness(nodes: list[Node], pumped: Any, way: int = 0) -> tuple[str, bool]:
    """A text that a sequence matches, up to the pumped repetition if it is in there; `way`: which alternative to take."""
    pieces: list[str] = []
    for node in nodes:
        text, reached = _piece(node, pumped, way)
        pieces.append(text)
        if reached:
            return "".join(pieces), True
    return "".join(pieces), False


def _piece(node: Node, pumped: Any, way: int) -> tuple[str, bool]:
    op, argument = node
    if op in _REPEATS:
        body, reached = _witness(list(argument[2]), pumped, way)
        if argument is pumped:
            return (body or "a") * max(2, PUMP // max(1, len(body))), True
        return (body * max(argument[0], 2), True) if reached else (body * argument[0], False)
    if op is codes.BRANCH:
        texts = [_witness(list(alternative), pumped, way) for alternative in argument[1]]
        return next((text for text in texts if text[1]), texts[min(way, len(texts) - 1)])
    if op in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
        return _witness(_children(node)[0], pumped, way)
    return _one(node), False


def _one(node: Node) -> str:
    """A character that a node of one character matches; "" for a node of none."""
    op, argument = node
    if op is codes.LITERAL:
        return chr(argument)
    if op is codes.ANY:
        return "a"
    if op is codes.NOT_LITERAL:
        return "a" if argument != ord("a") else "b"
    if op is codes.IN:
        return next((char for char in "0aA -.,:@" + _literals(argument) if _in(argument, char)), "a")
    return ""


def _literals(members: list[Node]) -> str:
    return "".join(chr(value if op is codes.LITERAL else value[0]) for op, value in members if op in (codes.LITERAL, codes.RANGE))


# -- counting


def _in(members: list[Node], char: str) -> bool:
    negated = bool(members) and members[0][0] is codes.NEGATE
    return negated != any(_member(op, value, char) for op, value in members)


def _member(op: Any, value: Any, char: str) -> bool:
    if op is codes.LITERAL:
        return bool(ord(char) == value)
    if op is codes.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    if op is codes.CATEGORY:
        name = str(value)
        kind = char.isdigit() if "DIGIT" in name else char.isspace() if "SPACE" in name else char.isalnum() or char == "_"
        return kind != ("_NOT_" in name)
    return False


class _Matcher:
    """A backtracking matcher that counts."""

    def __init__(self, text: str, ignore_case: bool, budget: int) -> None:
        self._text, self._ignore_case, self._budget = text, ignore_case, budget
        self._spent = 0

    def steps(self, tree: list[Node]) -> int:
        """Steps until the first match at the text's beginning, or until there is none; `budget` + 1 if it took more."""
        try:
            next(self._sequence(tree, 0, 0), None)
        except _Spent:
            return self._budget + 1
        return self._spent

    def _sequence(self, nodes: list[Node], number: int, place: int) -> Iterator[int]:
        if number == len(nodes):
            yield place
            return
        for end in self._node(nodes[number], place):
            yield from self._sequence(nodes, number + 1, end)

    def _node(self, node: Node, place: int) -> Iterator[int]:
        self._spent += 1
        if self._spent > self._budget:
            raise _Spent
        op, argument = node
        if op in _REPEATS:
            ends = self._repeat(argument, op is codes.MIN_REPEAT, place, 0)
            if op is codes.POSSESSIVE_REPEAT:
                yield from _first(ends)
            else:
                yield from ends
        elif op is codes.BRANCH:
            for way in argument[1]:
                yield from self._sequence(list(way), 0, place)
        elif op is codes.SUBPATTERN:
            yield from self._sequence(list(argument[3]), 0, place)
        elif op is codes.ATOMIC_GROUP:
            yield from _first(self._sequence(list(argument), 0, place))
        elif op in (codes.ASSERT, codes.ASSERT_NOT):
            if self._asserted(argument, place) is (op is codes.ASSERT):
                yield place
        elif op is codes.AT:
            yield place
        elif op in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
            if place < len(self._text) and self._matches(op, argument, self._text[place]):
                yield place + 1
        else:
            raise NotUnderstood(f"{op} is not judged: write the pattern without it.")

    def _repeat(self, argument: Any, lazy: bool, place: int, count: int) -> Iterator[int]:
        least, most, body = argument
        if lazy and count >= least:
            yield place
        if most is codes.MAXREPEAT or count < most:
            for end in self._sequence(list(body), 0, place):
                if end > place or count < least:
                    yield from self._repeat(argument, lazy, end, count + 1)
        if not lazy and count >= least:
            yield place

    def _asserted(self, argument: Any, place: int) -> bool:
        direction, body = argument
        begin = place if direction > 0 else place - body.getwidth()[0]
        return begin >= 0 and next(self._sequence(list(body), 0, begin), None) is not None

    def _matches(self, op: Any, argument: Any, char: str) -> bool:
        forms = {char, char.lower(), char.upper()} if self._ignore_case else {char}
        if op is codes.LITERAL:
            return chr(argument) in forms
        if op is codes.NOT_LITERAL:
            return chr(argument) not in forms
        return op is codes.ANY or any(_in(argument, form) for form in forms if len(form) == 1)


def _first(ends: Iterator[int]) -> Iterator[int]:
    end = next(ends, None)
    if end is not None:
        yield end
