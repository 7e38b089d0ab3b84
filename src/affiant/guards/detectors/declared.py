"""Detectors that users declare as data (YAML, JSON): a name, and patterns with context words, scores and examples.

    name: badge
    patterns:
      - rule: number
        type: EMPLOYEE_BADGE
        regex: "EB-[0-9]{6}"
        context: [badge, employee, Ausweis]
        needs_context: false     # true: nothing is found without one of these words before it
        score: 0.6               # without a context word
        context_score: 0.95
        examples: ["my badge is EB-104233"]
        counterexamples: ["EB-10"]

`declared` turns that into a `Detector` and its examples; `lint.lint` says what is wrong with it. Leaves out: reading files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from affiant.guards.detectors.context import WIDE, glued, seen, words
from affiant.guards.lint import Examples
from affiant.guards.scan import FULL, MAX_SPAN, Candidate, Detector, Found, Pattern

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,47}(?:/[a-z0-9_]{1,47})?")
_TOP = frozenset(("name", "rank", "patterns"))
_KEYS = frozenset(
    ("rule", "type", "regex", "exact", "ignore_case", "width", "whole", "context", "needs_context", "score", "context_score", "examples",
     "counterexamples")
)  # fmt: skip


class DeclarationError(ValueError):
    """A declaration that cannot be read. Its text says where and what to change."""


@dataclass(frozen=True)
class Declared:
    """What a declaration gives.

    Args:
        detector: ready for a `Scanner`.
        examples: rule -> examples, for `lint`.
    """

    detector: Detector
    examples: Mapping[str, Examples]


@dataclass(frozen=True)
class _Context:
    words: re.Pattern[str] | None
    needed: bool
    score_ppm: int
    whole: bool


def declared(data: object) -> Declared:
    """The detector of one declaration.

    Raises:
        DeclarationError: a key is missing, unknown or of the wrong kind.
    """
    top = _mapping(data, "the declaration", _TOP)
    name = _text(top, "name", "the declaration")
    if not _NAME.fullmatch(name):
        _refuse("the declaration", f"name {name!r} must be lower-case letters, digits and _, such as `badge`")
    rank = top.get("rank", 50)
    if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= 100:
        _refuse("the declaration", "rank must be a whole number from 0 (wins) to 100")
    listed = top.get("patterns")
    if not isinstance(listed, list) or not listed:
        _refuse("the declaration", "patterns must be a list with at least one pattern")
    patterns, contexts, examples = [], {}, {}
    for number, item in enumerate(listed, 1):
        pattern, context, shown = _pattern(item, f"pattern {number} of {name!r}")
        if pattern.rule in contexts:
            _refuse(f"pattern {number} of {name!r}", f"rule {pattern.rule!r} is there twice; give each a name of its own")
        patterns.append(pattern)
        contexts[pattern.rule] = context
        examples[pattern.rule] = shown

    def validate(candidate: Candidate) -> Iterable[Found]:
        return _judge(candidate, contexts[candidate.pattern.rule])

    return Declared(Detector(name, tuple(patterns), validate, rank), examples)


def _judge(candidate: Candidate, context: _Context) -> Iterable[Found]:
    """A hit of a declared pattern: whole, and with its word where it needs one."""
    if context.whole and glued(candidate.text, candidate.start, candidate.end):
        return ()
    named = context.words is not None and seen(candidate, context.words, WIDE)
    if context.needed and not named:
        return ()
    score = context.score_ppm if named else candidate.pattern.score_ppm
    return (Found(candidate.start, candidate.end, candidate.pattern.type, score),)


def _pattern(item: object, where: str) -> tuple[Pattern, _Context, Examples]:
    data = _mapping(item, where, _KEYS)
    rule, type_, regex = (_text(data, key, where) for key in ("rule", "type", "regex"))
    if not _NAME.fullmatch(rule):
        _refuse(where, f"rule {rule!r} must be lower-case letters, digits and _")
    if not _TYPE.fullmatch(type_):
        _refuse(where, f"type {type_!r} must be upper-case letters, digits and _, such as `EMPLOYEE_BADGE`")
    exact = _text(data, "exact", where) if "exact" in data else ""
    for expression in (regex, exact):
        try:
            re.compile(expression)
        except re.error as error:
            _refuse(where, f"{expression!r} is no valid pattern: {error}")
    width = data.get("width", 256)
    if not isinstance(width, int) or isinstance(width, bool) or not 0 < width <= MAX_SPAN:
        _refuse(where, f"width must be a whole number from 1 to {MAX_SPAN}")
    listed, needed = _texts(data, "context", where), _flag(data, "needs_context", where, default=False)
    if needed and not listed:
        _refuse(where, "needs_context is set without any word in context")
    score = _score(data, "score", where, FULL)
    context = _Context(
        _words(listed), needed, _score(data, "context_score", where, max(score, 950_000)), _flag(data, "whole", where, default=True)
    )
    pattern = Pattern(rule, type_, regex, exact, _flag(data, "ignore_case", where, default=False), width, score)
    return pattern, context, Examples(_texts(data, "examples", where), _texts(data, "counterexamples", where))


def _words(listed: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern of literal words; those of scripts without blanks may stand anywhere."""
    if not listed:
        return None
    latin = [re.escape(word.lower()) for word in listed if word[0].isascii()]
    other = [re.escape(word.lower()) for word in listed if not word[0].isascii()]
    return words("|".join(latin), "|".join(other)) if latin else re.compile("|".join(other))


def _mapping(data: object, where: str, known: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        _refuse(where, f"a mapping with {', '.join(sorted(known))} is wanted")
    unknown = sorted(str(key) for key in data if key not in known)
    if unknown:
        _refuse(where, f"{', '.join(unknown)}: not known; known are {', '.join(sorted(known))}")
    return data


def _text(data: Mapping[str, object], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        _refuse(where, f"{key} must be a text that is not empty")
    return value


def _texts(data: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        _refuse(where, f"{key} must be a list of texts")
    return tuple(value)


def _flag(data: Mapping[str, object], key: str, where: str, *, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        _refuse(where, f"{key} must be true or false")
    return value


def _score(data: Mapping[str, object], key: str, where: str, default: int) -> int:
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        _refuse(where, f"{key} must be a number above 0 and at most 1")
    return round(value * FULL)


def _refuse(where: str, why: str) -> NoReturn:
    raise DeclarationError(f"In {where}: {why}.")
