"""Phrase tables: hand-written sentences with choices and slots, expanded at random but reproducibly.

A table is a text file with `[section]` lines, each followed by one template a line. In a template `<a|b|>` is one of the
alternatives (not nested), `{slot}` a filler from the section of that name, and the two characters backslash n a line break.
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

_CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")
_MAX_DEPTH = 6

Table = dict[str, list[str]]


def read(path: Path) -> Table:
    """Sections of a phrase table. Raises ValueError for a template that stands before the first section."""
    table: Table = {}
    section: list[str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("[") and line.endswith("]") and "|" not in line:
            section = table.setdefault(line[1:-1], [])
        elif line.strip():
            if section is None:
                raise ValueError(f"{path.name}:{number}: a template before the first [section]; add a [section] line above it")
            section.append(line.replace("\\n", "\n"))
    return table


def expand(template: str, table: Table, rng: Random, **given: str) -> str:
    """One sentence of a template. `given` fills slots ahead of the table; a slot that nobody fills raises KeyError."""
    text = template
    for _ in range(_MAX_DEPTH):
        chosen = _CHOICE.sub(lambda match: rng.choice(match.group(1).split("|")), text)
        filled = _SLOT.sub(lambda match: given[match.group(1)] if match.group(1) in given else _filler(match.group(1), table, rng), chosen)
        if filled == text:
            return text
        text = filled
    return text


def _filler(slot: str, table: Table, rng: Random) -> str:
    if slot == "num":
        return str(rng.choice((2, 3, 5, 8, 10, 12, 15, 20, 24, 30, 45, 50, 75, 100, 250, 500, 1200, 4811, 73920, 100347)))
    return rng.choice(table[slot])


def several(templates: list[str], count: int, table: Table, rng: Random, **given: str) -> list[str]:
    """Up to `count` different expansions, the templates taken in turn."""
    seen: dict[str, None] = {}
    order = list(templates)
    for turn in range(count * 2):
        if turn % len(order) == 0:
            rng.shuffle(order)
        seen.setdefault(expand(order[turn % len(order)], table, rng, **given))
        if len(seen) == count:
            break
    return list(seen)
