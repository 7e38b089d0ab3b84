"""A Lark definition that somebody sent, read only as far as its bounds need: the words of it, and how deep its rules lead into one another.

The engine follows rules by recursion on the machine's stack, without a bound of its own: a chain of some hundred rules would end the
process. So the depth is counted here beforehand, over the same words that the engine reads. What the engine knows beyond Lark is refused:
other languages within (`%json`, `%regex`, `%lark`), intersection and negation, whose cost it does not bound, and tokens of a model, which
a text does not show. Leaves out: what a definition means (`grammar`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from affiant.guards.quality.schema import SchemaRefused

MAX_LEVELS = 320
"""How deep rules may lead into one another, brackets counted; rules that come back to themselves count all together."""

_WORD = re.compile(
    r"""
    (?P<skip>(?:\#|//)[^\n]*|[ \t]+|(?:\r?\n)+)
  | (?P<text>"(?:\\(?:["\\/bfnrt]|u[a-fA-F0-9]{4}|x[a-fA-F0-9]{2})|[^"\\\x00-\x1f\x7f])*"i?|/(?:\\.|[^/\\])+/[imslux]*)
  | (?P<name>!?[_?]?[a-z][_a-z0-9-]*|_?[A-Z][_A-Z0-9-]*)
  | (?P<command>%llguidance[ \t]*\{[ \t]*\}|%[a-z]+)
  | (?P<times>~[ \t]*(?=[0-9]))
  | (?P<colon>:(?!:))
  | (?P<open>[(\[])
  | (?P<close>[)\]])
  | (?P<plain>->|\.\.|[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|[+*?{}.,|=_])
    """,
    re.VERBOSE,
)
_COMMANDS = ("%ignore", "%import")
_OPTIONS = ("max_tokens", "temperature", "stop", "stop_capture")
_BEYOND = {"&": "`&`", "~": "`~`", "<": "tokens of a model", "@": "other grammars", ":": "rules with parameters"}


@dataclass(slots=True)
class _Rule:
    """One rule: how deep its brackets nest, and what it names."""

    weight: int = 1
    named: set[str] = field(default_factory=set)


def bound(definition: str) -> None:
    """Refuse a definition that leads too deep, or uses what is not Lark.

    Raises:
        SchemaRefused: it does.
    """
    rules = _rules(definition)
    if _levels(rules) > MAX_LEVELS:
        raise SchemaRefused("grammar_too_deep", f"Its rules lead more than {MAX_LEVELS} levels into one another; make it flatter.")


def _rules(definition: str) -> Mapping[str, _Rule]:
    rules: dict[str, _Rule] = {}
    words = list(_words(definition))
    starts = {_named_before(words, at): at for at, (kind, _) in enumerate(words) if kind == "colon"}
    rule, depth = _Rule(), 0
    for at, (kind, word) in enumerate(words):
        if at in starts:
            rule, depth = rules.setdefault(word.lstrip("!?"), _Rule()), 0
        elif kind == "name":
            if word in _OPTIONS and depth:
                raise SchemaRefused("grammar_not_usable", f"It uses `{word}`, which a text does not show; leave it out.")
            rule.named.add(word.lstrip("!?"))
        elif kind == "open":
            depth += 1
            rule.weight = max(rule.weight, 1 + depth)
        elif kind == "close":
            depth -= 1
    return rules


def _words(definition: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(definition):
        match = _WORD.match(definition, at)
        if match is None:
            beyond = _BEYOND.get(definition[at], "a character that no word of Lark begins with")
            raise SchemaRefused("grammar_not_usable", f"It uses {beyond}; write it in Lark alone.")
        kind, word = str(match.lastgroup), match.group()
        if kind == "command" and word not in _COMMANDS and not word.endswith("}"):
            raise SchemaRefused("grammar_not_usable", f"It uses `{word[:16]}`; write it in Lark alone.")
        if kind != "skip":
            yield kind, word
        at = match.end()


def _named_before(words: list[tuple[str, str]], at: int) -> int:
    """Where the name stands that a colon defines, options in brackets skipped; never beyond another colon, so that words are read once."""
    depth = 0
    for place in range(at - 1, -1, -1):
        kind = words[place][0]
        if kind == "colon":
            break
        depth += (kind == "close") - (kind == "open")
        if kind == "name" and not depth:
            return place
    raise SchemaRefused("grammar_not_usable", "It has a colon that no name stands before.")


def _levels(rules: Mapping[str, _Rule]) -> int:
    """The most levels that following rules can take: each once, those of a circle all of them (Tarjan's components, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    deepest: dict[str, int] = {}
    stack: list[str] = []
    for start in rules:
        if start in order:
            continue
        work = [(start, iter(sorted(rules[start].named)))]
        order[start] = low[start] = len(order)
        stack.append(start)
        while work:
            name, named = work[-1]
            below = next((each for each in named if each in rules), None)
            if below is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    circle = set(stack[stack.index(name) :])
                    del stack[stack.index(name) :]
                    weight = sum(rules[each].weight for each in circle)
                    outside = (deepest[each] for member in circle for each in rules[member].named if each in rules and each not in circle)
                    deepest.update(dict.fromkeys(circle, weight + max(outside, default=0)))
            elif below not in order:
                order[below] = low[below] = len(order)
                stack.append(below)
                work.append((below, iter(sorted(rules[below].named))))
            elif below not in deepest:
                low[name] = min(low[name], order[below])
    return max(deepest.values(), default=0)
