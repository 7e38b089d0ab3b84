"""The nouns that pages share: the frame around a page, links, facts, filters, pages of a list. Frozen, plain values.

Each page's own `…Page` lives beside the code that builds it. Leaves out: where values come from, and how they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One line of the menu; `count` is a short figure beside it."""

    text: str
    href: str
    active: bool = False
    count: str = ""


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """A titled group of the menu (the first has no title)."""

    title: str
    items: tuple[MenuItem, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the ledger stands, in two short lines."""

    words: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What just happened, shown once above a page; tone `""`, `failed` or `deviation`."""

    title: str
    text: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame around every signed-in page.

    Args:
        place: what is looked at, such as the origin of the ledger.
        origin: C2SP origin of the ledger.
        demo: whether the home is a demonstration, stamped on every page.
        person: id of who is signed in.
        roles: their roles, in words.
        csrf: token that every form carries.
        path: address of this page, to come back to.
        next_theme: the theme that the switch leads to: light, dark or system.
        next_theme_word: what the switch says.
        menu: groups of the menu.
        head: where the ledger stands.
        notice: what just happened, if anything.
    """

    place: str
    origin: str
    demo: bool
    person: str
    roles: str
    csrf: str
    path: str
    next_theme: str
    next_theme_word: str
    menu: tuple[MenuGroup, ...]
    head: Head
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `title` is the exact value on hover, `note` a second, quieter line."""

    name: str
    value: str
    href: str = ""
    mono: bool = False
    title: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What a place says when there is nothing: why, and what to do first."""

    title: str
    text: str
    command: str = ""
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    text: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a list, kept in the address: a choice where `options`, else free text."""

    name: str
    label: str
    value: str = ""
    options: tuple[Option, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    """Which rows of how many are shown, and where the others are."""

    first: int
    last: int
    total: int
    newer: str = ""
    older: str = ""
    more_than: bool = False


def address(path: str, **query: object) -> str:
    """`path` with the parameters that have a value, so that every list can be shared as a link."""
    kept = {name: str(value) for name, value in query.items() if value not in ("", None, 0)}
    return f"{path}?{urlencode(kept)}" if kept else path


def choose(name: str, label: str, value: str, options: Sequence[tuple[str, str]], every: str = "All") -> Filter:
    """A filter with a first choice that does not filter."""
    choices = (Option("", every, value == ""), *(Option(key, text, key == value) for key, text in options))
    return Filter(name, label, value, choices)


def page_of(path: str, total: int, offset: int, limit: int, **query: object) -> Pager:
    """The pager of rows `offset` to `offset + limit` of `total`; addresses keep the filters."""
    last = min(offset + limit, total)
    newer = address(path, **query, offset=max(offset - limit, 0)) if offset > 0 else ""
    older = address(path, **query, offset=offset + limit) if last < total else ""
    return Pager(min(offset + 1, total), last, total, newer, older)
