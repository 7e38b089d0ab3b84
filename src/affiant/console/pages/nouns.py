"""Nouns that several pages show: a figure with its words, a row with an item result, a cell, a version, a step."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class Stat:
    """One figure (or state) at the head of a page, and the sentence under it."""

    name: str
    value: str = ""
    unit: str = ""
    note: str = ""
    state: State | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text in a table, its whole form on hover, where it leads, and whether it stays on one line."""

    text: str
    title: str = ""
    href: str = ""
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column; figures stand right."""

    text: str
    num: bool = False


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One row of a population with its item result; `ord` 0 is not shown."""

    index: int
    ord: int
    at: int
    cells: tuple[Cell, ...]
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, in order.

    Args:
        state: how it ended.
        what: one word for it.
        text: the rest of the sentence.
        at: for an exchange, time since it came in; for a change, empty.
        index: entry that shows it.
        after: words after the entry's number.
        note: a second, quieter line.
        control: control that it belongs to.
        control_href: its page, where the catalog has it.
    """

    state: State
    what: str
    text: str
    at: str = ""
    index: int | None = None
    after: str = ""
    note: str = ""
    control: str = ""
    control_href: str = ""
