"""A linter for detectors, for users' own ones before all: what is empty, not accepted, slow, or shown by no example.

Faults are values with a stable code and a sentence that says what to change. Leaves out: reading the declarations (`declared`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from affiant.guards import effort
from affiant.guards.scan import MAX_SPAN, Detector, Pattern, Scanner, ScannerError, compile_patterns

EMPTY, NOT_ACCEPTED, NOT_PYTHON, SLOW, UNBOUNDED, NOT_JUDGED, NO_EXAMPLE, MISSED, FALSE_HIT, TOO_WIDE = (
    "matches_empty", "not_accepted", "not_python", "slow", "unbounded", "not_judged", "no_example", "example_missed", "counterexample_hit",
    "too_wide",
)  # fmt: skip


_UNBOUNDED_TEXT = "A repetition has no upper bound (`*`, `+` or `{n,}`), so one hit may cost the whole text. Give one, such as `{1,64}`."
_SLOW_TEXT = (
    "It takes more than {} steps on {!r}…: repetitions within repetitions take the same characters. "
    "Put a separator between them that is not optional."
)


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts that show what a rule is for.

    Args:
        found: texts in which it finds something.
        not_found: texts in which it does not.
    """

    found: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        rule: `<detector>/<rule>`.
        code: stable name of the fault, such as `slow`.
        text: what is wrong and what to change.
    """

    rule: str
    code: str
    text: str


def lint(detector: Detector, examples: Mapping[str, Examples] | None = None) -> list[Fault]:
    """Everything that is wrong with a detector; empty: nothing.

    Args:
        examples: rule -> its examples; None: examples are not asked for.
    """
    faults: list[Fault] = []
    for pattern in detector.patterns:
        name = f"{detector.name}/{pattern.rule}"
        faults += [Fault(name, code, text) for code, text in _form(pattern, name)]
    if not faults and examples is not None:
        faults = _shown(detector, examples)
    return faults


def _form(pattern: Pattern, name: str) -> list[tuple[str, str]]:
    try:
        regex = re.compile(pattern.regex)
        python = pattern.python
    except re.error as error:
        return [(NOT_PYTHON, f"It is no valid pattern: {error}. Correct it.")]
    faults: list[tuple[str, str]] = []
    if regex.match("") or python.match(""):
        faults.append((EMPTY, "It matches the empty string, so it would hit everywhere. Require at least one character."))
    else:
        try:
            compile_patterns([pattern], [name])
        except ScannerError as error:
            faults.append((NOT_ACCEPTED, str(error)))
    if not 0 < pattern.width <= MAX_SPAN:
        faults.append((TOO_WIDE, f"Its width is {pattern.width}; give one between 1 and {MAX_SPAN}."))
    return faults + _speed(python)


def _speed(python: re.Pattern[str]) -> list[tuple[str, str]]:
    if effort.has_unbounded(python):
        return [(UNBOUNDED, _UNBOUNDED_TEXT)]
    try:
        steps, hostile = effort.worst(python)
    except effort.NotUnderstood as error:
        return [(NOT_JUDGED, str(error))]
    return [(SLOW, _SLOW_TEXT.format(effort.BUDGET, hostile[:24]))] if steps > effort.BUDGET else []


def _shown(detector: Detector, examples: Mapping[str, Examples]) -> list[Fault]:
    scanner = Scanner((detector,))
    faults: list[Fault] = []
    for pattern in detector.patterns:
        name, mine = f"{detector.name}/{pattern.rule}", examples.get(pattern.rule, Examples())
        if not mine.found:
            faults.append(Fault(name, NO_EXAMPLE, "It has no example. Add a text in which it finds something."))
        faults += [Fault(name, MISSED, f"It finds nothing in its example {text!r}.") for text in _missed(scanner, name, mine.found)]
        hit = [text for text in mine.not_found if text not in _missed(scanner, name, mine.not_found)]
        faults += [Fault(name, FALSE_HIT, f"It finds something in its counterexample {text!r}.") for text in hit]
    return faults


def _missed(scanner: Scanner, name: str, texts: Sequence[str]) -> list[str]:
    return [text for text in texts if not any(found.rule == name for found in scanner.find(text))]
