"""Random texts that match a pattern, so that no test file has to hold anything that looks like a secret."""

from __future__ import annotations

import random
import re
from typing import Any

_PARSER: Any = getattr(re, "_parser")  # noqa: B009 - the standard library's own parser; it has no public name
_PRINTABLE = [chr(code) for code in range(33, 127)]


def sample(pattern: str, chance: random.Random) -> str:
    """A text that a pattern without look-around matches, drawn evenly from each class."""
    return _draw(_PARSER.parse(pattern), chance)


def _draw(tree: Any, chance: random.Random) -> str:
    drawn = ""
    for operation, argument in tree:
        name = str(operation)
        if name == "LITERAL":
            drawn += chr(argument)
        elif name == "IN":
            drawn += chance.choice(_members(argument))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            times = chance.randint(least, min(int(most), least + 2))
            drawn += "".join(_draw(inner, chance) for _ in range(times))
        elif name == "SUBPATTERN":
            drawn += _draw(argument[3], chance)
        elif name == "BRANCH":
            drawn += _draw(chance.choice(argument[1]), chance)
        elif name != "ASSERT_NOT":
            raise AssertionError(f"no sample for {name}")
    return drawn


def _members(items: Any) -> list[str]:
    members: list[str] = []
    negated = False
    for operation, argument in items:
        name = str(operation)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            members.append(chr(argument))
        elif name == "RANGE":
            members += [chr(code) for code in range(argument[0], argument[1] + 1)]
    return [char for char in _PRINTABLE if char not in members] if negated else members


def drawn(alphabet: str, size: int, seed: int) -> str:
    """`size` characters of an alphabet."""
    chance = random.Random(seed)
    return "".join(chance.choice(alphabet) for _ in range(size))


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"
