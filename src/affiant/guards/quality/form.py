"""The form of an answer: JSON and its schema, one of some choices, a regular expression, length.

The expression runs on an automaton in linear time, so that no answer can make it hang; expressions outside of that subset are
refused when a policy is read. The schema is checked by a library that the caller passes in. Leaves out: mending (`repair`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import hyperscan
import msgspec

from affiant.guards.quality.model import FULL, Asked, Code, Finding, Validate

MAX_FAULTS = 8
MAX_DEPTH = 200
_OPEN = frozenset("[{")
_CLOSE = frozenset("]}")


class BadForm(ValueError):
    """A regular expression cannot be used."""


@lru_cache(maxsize=64)
def _database(form: str) -> hyperscan.Database:
    database = hyperscan.Database()
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_SINGLEMATCH
    try:
        database.compile([rf"\A(?:{form})\z".encode()], flags=[flags])
    except (hyperscan.error, UnicodeError) as error:
        raise BadForm(f"the form of an answer has to run in linear time: no look-around, no back-references ({error})") from error
    return database


def matches(form: str, text: str) -> bool:
    """Whether a regular expression matches the whole of a text.

    Raises:
        BadForm: the expression is faulty, or outside of the subset that runs in linear time.
    """
    found: list[int] = []
    data = text.encode("utf-8", "replace")
    _database(form).scan(data, match_event_handler=lambda *_: found.append(1))
    return bool(found)


def depth_of(text: str) -> int:
    """How deep brackets nest in a JSON text; those in strings do not count."""
    depth = deepest = 0
    inside = escaped = False
    for char in text:
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in _OPEN:
            depth += 1
            deepest = max(deepest, depth)
        elif char in _CLOSE:
            depth -= 1
    return deepest


def decode(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, nests deeper than `MAX_DEPTH`, or holds a number that no float can.
    """
    if depth_of(text) > MAX_DEPTH:
        raise ValueError(f"nests deeper than {MAX_DEPTH}")
    return msgspec.json.decode(text.encode("utf-8", "surrogatepass"))


def check(text: str, asked: Asked, validate: Validate | None) -> Iterator[Finding]:
    """What is wrong with the form of an answer."""
    end = len(text)
    if asked.min_chars and end < asked.min_chars:
        yield Finding(Code.TOO_SHORT, 0, end)
    if asked.max_chars and end > asked.max_chars:
        yield Finding(Code.TOO_LONG, asked.max_chars, end)
    if asked.choices and text.strip() not in asked.choices:
        yield Finding(Code.NOT_A_CHOICE, 0, end)
    if asked.form and not matches(asked.form, text):
        yield Finding(Code.AGAINST_FORM, 0, end)
    if asked.schema is None and not asked.json:
        return
    try:
        value = decode(text)
    except ValueError:
        yield Finding(Code.NOT_JSON, 0, end)
        return
    if asked.schema is None:
        return
    if validate is None:
        yield Finding(Code.SCHEMA_NOT_CHECKED, 0, end, FULL, "no validator was given")
        return
    for fault in list(validate(asked.schema, value))[:MAX_FAULTS]:
        yield Finding(Code.AGAINST_SCHEMA, 0, end, FULL, fault[:120])
